# application: Emacs, vim
# version: emacs --version
# needs: emacs-nox vim
# set: matrix
emacs --batch --eval '(progn (princ (+ 1 2)) (terpri) (with-temp-file "o" (insert "hello") (insert (shell-command-to-string "echo sub"))) (princ (length (directory-files "."))) (let ((p (make-process :name "c" :command (list "cat") :buffer "b"))) (process-send-string p "via cat\n") (process-send-eof p) (while (accept-process-output p 1)) (princ (with-current-buffer "b" (buffer-substring 1 8)))))'; echo; cat o
printf 'one\ntwo\nthree\n' > v; vim -es -u NONE -c '%s/two/2/' -c 'g/three/d' -c wq v; echo $?; cat v
