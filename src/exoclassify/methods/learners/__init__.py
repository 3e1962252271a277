"""One file per family of learner; each fitted learner is plain arrays that can be saved, folded and checked."""
