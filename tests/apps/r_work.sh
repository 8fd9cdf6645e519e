# application: R
# version: Rscript --version
# needs: r-base-core
# set: matrix
cat > r.R <<'S'
set.seed(1); x <- rnorm(1000); print(summary(lm(x ~ seq_along(x)))$r.squared); print(round(svd(matrix(1:9, 3))$d, 6))
pdf("p.pdf"); plot(x); invisible(dev.off()); print(file.exists("p.pdf"))
print(system("echo shell", intern = TRUE)); print(unlist(parallel::mclapply(1:4, function(i) i^2, mc.cores = 2)))
saveRDS(x, "x.rds"); print(identical(readRDS("x.rds"), x)); print(tryCatch(stop("e"), error = function(e) conditionMessage(e))); quit(status = 3)
S
Rscript r.R; echo "exit $?"
