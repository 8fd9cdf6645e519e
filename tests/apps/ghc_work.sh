# application: GHC
# version: ghc --version
# needs: ghc
# set: matrix
# options: --memory 2g
# Compiles a program of a hundred threads and runs it on two processors.
cat > m.hs <<'H'
import Control.Concurrent
import Data.List
main = do
  v <- newEmptyMVar
  mapM_ (\n -> forkIO (putMVar v (sum [1..n]))) [1..100]
  r <- mapM (const (takeMVar v)) [1..100]
  print (sum r); print (take 5 (sort r)); interact (map succ)
H
ghc -threaded -v0 m.hs && printf abc | ./m +RTS -N2; echo; echo $?
