# application: Octave
# version: octave --version
# needs: octave
# set: matrix
# options: --memory 2g
export HOME=$PWD; octave --no-gui --no-window-system --eval 'A=magic(4); disp(rank(A)); disp(sum(eig([2 0;0 3]))); [s,o]=system("echo sub; exit 3"); disp(s); disp(o); x=fft(1:8); printf("%.4f\n",abs(x)); save("f.mat","A"); clear A; load f.mat; disp(A(2,2))'; echo $?
