# application: LaTeX
# version: pdflatex --version
# needs: texlive-latex-base
# set: matrix
# Two pages, the same bytes each time.
export HOME=$PWD SOURCE_DATE_EPOCH=1000000000 FORCE_SOURCE_DATE=1
cat > d.tex <<'X'
\documentclass{article}\title{T}\author{A}\begin{document}\maketitle\tableofcontents\section{One}Text $\int_0^1 x^2\,dx$\label{l} on page \pageref{l}.\newpage\section{Two}More.\end{document}
X
for i in 1 2; do pdflatex -interaction=batchmode d.tex > /dev/null; echo $?; done; grep -c Warning d.log; grep 'Output written' d.log; md5sum < d.pdf; latex -interaction=batchmode d.tex >/dev/null; echo $?; dvips -q d.dvi -o d.ps; grep -c Page: d.ps
