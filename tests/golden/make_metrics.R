# Golden numbers of judgement from R: pROC for AUC, its interval and the paired test; rms for calibration.
# Rscript make_metrics.R, after make_metrics.py, in this folder.
suppressMessages({library(pROC); library(rms)})
d <- read.csv("metrics_answers.csv")
first <- roc(d$y, d$first, direction = "<", quiet = TRUE)
second <- roc(d$y, d$second, direction = "<", quiet = TRUE)
ci1 <- as.numeric(ci.auc(first, method = "delong"))
ci2 <- as.numeric(ci.auc(second, method = "delong"))
paired <- roc.test(first, second, method = "delong", paired = TRUE)
v <- val.prob(d$first, d$y, pl = FALSE)
logit <- qlogis(d$first)
large <- glm(d$y ~ offset(logit), family = binomial)
found <- c(
  auc_first = as.numeric(auc(first)), low_first = ci1[1], high_first = ci1[3],
  auc_second = as.numeric(auc(second)), low_second = ci2[1], high_second = ci2[3],
  paired_z = as.numeric(paired$statistic), paired_p = as.numeric(paired$p.value),
  slope = unname(v["Slope"]), brier = unname(v["Brier"]), c_index = unname(v["C (ROC)"]),
  intercept_at_slope_one = unname(coef(large)[1])
)
write.csv(data.frame(figure = names(found), value = format(found, digits = 15)), "metrics_r.csv", row.names = FALSE, quote = FALSE)
points <- coords(first, "all", ret = c("specificity", "sensitivity"), transpose = FALSE)
write.csv(points[order(-points$specificity, points$sensitivity), ], "metrics_roc.csv", row.names = FALSE)
