# application: SBCL
# version: sbcl --version
# needs: sbcl
# set: matrix
cat > s.lisp <<'L'
(format t "~a ~a~%" (lisp-implementation-type) (expt 3 100))
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(format t "~a~%" (fib 27))
(let ((ths (loop for i below 4 collect (let ((i i)) (sb-thread:make-thread (lambda () (loop for k below 100000 sum (* k i))))))))
  (format t "~a~%" (mapcar #'sb-thread:join-thread ths)))
(loop repeat 50 do (make-array 1000000)) (gc :full t)
(handler-case (error "x") (error (e) (format t "caught ~a~%" e)))
(with-open-file (o "f" :direction :output :if-exists :supersede) (print 'hello o))
(format t "~a~%" (sb-ext:process-exit-code (sb-ext:run-program "/bin/sh" '("-c" "exit 5"))))
(sb-ext:exit :code 4)
L
sbcl --script s.lisp; echo "exit $?"
