# Golden numbers of the moderated t: see README.md beside this file.
library(limma)
library(edgeR)
sheet <- read.csv("limma_samples.csv", row.names = 1)
design <- model.matrix(~ state + factor(batch) + age, sheet)
kept <- function(fit, weights = NULL) {
  top <- topTable(fit, coef = "state", number = Inf, sort.by = "none", confint = TRUE)
  data.frame(effect = top$logFC, low = top$CI.L, high = top$CI.R, t = top$t, p = top$P.Value,
             df_prior = fit$df.prior, s2_prior = fit$s2.prior, row.names = rownames(top))
}
digits <- function(table, name) write.csv(format(table, digits = 15, trim = TRUE), name, quote = FALSE)

counts <- t(as.matrix(read.csv("limma_counts.csv", row.names = 1)))
dge <- calcNormFactors(DGEList(counts), method = "TMM")
sizes <- dge$samples$lib.size * dge$samples$norm.factors
digits(data.frame(size = sizes, row.names = colnames(counts)), "limma_sizes.csv")
v <- voom(counts, design, lib.size = sizes)
digits(as.data.frame(t(v$weights)), "limma_weights.csv")
digits(kept(eBayes(lmFit(v, design))), "limma_voom.csv")
corfit <- duplicateCorrelation(v, design, block = sheet$subject)
fixed <- lmFit(v, design, block = sheet$subject, correlation = 0.4)
digits(kept(eBayes(fixed)), "limma_voom_block.csv")

values <- t(as.matrix(read.csv("limma_intensities.csv", row.names = 1)))
values <- values[rownames(values) != "m50", ]  # no value in one state: limma would fit it without the state
digits(kept(eBayes(lmFit(values, design))), "limma_log.csv")
logcor <- duplicateCorrelation(values, design, block = sheet$subject)
fixed <- lmFit(values, design, block = sheet$subject, correlation = 0.4)
digits(kept(eBayes(fixed)), "limma_log_block.csv")
digits(data.frame(correlation = c(corfit$consensus.correlation, logcor$consensus.correlation),
                  row.names = c("voom", "log")), "limma_correlation.csv")
set.seed(1)
x <- sort(round(runif(200, 0, 10), 2)); y <- sin(x) + rnorm(200, 0, 0.3)
digits(data.frame(x = x, y = y, smooth = lowess(x, y, f = 0.5)$y), "lowess.csv")
cat(R.version.string, "limma", as.character(packageVersion("limma")), "edgeR", as.character(packageVersion("edgeR")), "\n")
