# application: Guile
# version: guile --version
# needs: guile-3.0
# set: matrix
export GUILE_AUTO_COMPILE=0; guile -c '(use-modules (ice-9 threads) (ice-9 popen) (ice-9 rdelim)) (display (par-map (lambda (x) (* x x)) (iota 10))) (newline) (let ((p (open-input-pipe "echo hi"))) (display (read-line p)) (close-pipe p)) (newline)'; echo $?
