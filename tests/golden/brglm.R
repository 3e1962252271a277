# Golden coefficients of the detection test: see README.md beside this file.
library(brglm)
sheet <- read.csv("limma_samples.csv", row.names = 1)
values <- as.matrix(read.csv("limma_intensities.csv", row.names = 1))
found <- !is.na(values)
varying <- colSums(found) > 0 & colSums(found) < nrow(found)
rows <- sapply(colnames(values)[varying], function(m) {
  fit <- brglm(found[, m] ~ state + factor(batch) + age, binomial, sheet, pl = TRUE,
               control.brglm = brglm.control(br.epsilon = 1e-11, br.maxit = 1000))
  unname(coef(fit)["state"])
})
write.csv(format(data.frame(log_odds = rows), digits = 12), "detection.csv", quote = FALSE)
cat("brglm", as.character(packageVersion("brglm")), "\n")
