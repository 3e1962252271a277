"""Names of the simulated molecules: human miRNAs that exist, and proteins that do not."""

from __future__ import annotations

__all__ = ["mirna_names", "protein_names"]

# Both arms of each of these are human mature miRNAs of miRBase (release 22).
_STEMS = """
    let-7a let-7b let-7c let-7d let-7e let-7g let-7i miR-1 miR-9 miR-10a miR-10b miR-15a miR-15b miR-17
    miR-18a miR-18b miR-19a miR-20a miR-20b miR-21 miR-22 miR-23a miR-23b miR-25 miR-26b miR-27a miR-27b
    miR-28 miR-29a miR-29c miR-30a miR-30b miR-30d miR-30e miR-31 miR-32 miR-33a miR-33b miR-34a miR-34b
    miR-34c miR-92b miR-93 miR-95 miR-96 miR-98 miR-99a miR-99b miR-100 miR-101 miR-106a miR-106b
    miR-122 miR-124 miR-125a miR-126 miR-127 miR-129 miR-130a miR-130b miR-132 miR-133a miR-134 miR-135a
    miR-135b miR-136 miR-139 miR-140 miR-141 miR-142 miR-143 miR-144 miR-145 miR-146a miR-146b miR-148a
    miR-148b miR-149 miR-150 miR-151a miR-152 miR-153 miR-154 miR-155 miR-181a miR-181b miR-181c
    miR-181d miR-182 miR-183 miR-185 miR-186 miR-187 miR-188 miR-190a miR-190b miR-191 miR-192 miR-193a
    miR-193b miR-194 miR-195 miR-196a miR-196b miR-197 miR-199a miR-199b miR-200a miR-200b miR-200c
    miR-203a miR-204 miR-205 miR-208a miR-210 miR-211 miR-212 miR-214 miR-215 miR-216a miR-217 miR-221
    miR-222 miR-223 miR-224 miR-296 miR-299 miR-301a miR-302a miR-323a miR-324 miR-328 miR-329 miR-330
    miR-331 miR-335 miR-337 miR-338 miR-339 miR-340 miR-342 miR-345 miR-361 miR-362 miR-363 miR-365a
    miR-369 miR-370 miR-371a miR-373 miR-374a miR-374b miR-376a miR-376c miR-377 miR-378a miR-379
    miR-380 miR-381 miR-382 miR-409 miR-410 miR-411 miR-412 miR-423 miR-424 miR-425 miR-431 miR-432
    miR-433 miR-450b miR-452 miR-454 miR-455 miR-483 miR-485 miR-486 miR-487a miR-487b miR-488 miR-490
    miR-491 miR-493 miR-494 miR-495 miR-497 miR-499a miR-500a miR-501 miR-502 miR-503 miR-504 miR-505
    miR-511 miR-532 miR-539 miR-541 miR-542 miR-545 miR-548a miR-550a miR-551b miR-574 miR-576 miR-582
    miR-584 miR-589 miR-590 miR-616 miR-624 miR-625 miR-627 miR-628 miR-629 miR-651 miR-652 miR-654
    miR-655 miR-656 miR-660 miR-664a miR-671 miR-675 miR-708 miR-744 miR-758 miR-769 miR-873 miR-874
    miR-885 miR-887 miR-889 miR-891a miR-937 miR-942 miR-1180 miR-1226 miR-1271 miR-1287 miR-1296
    miR-1301 miR-1307 miR-1468 miR-3065 miR-3074 miR-3605 miR-3613 miR-3679 miR-5010 miR-5187 miR-6511a
    miR-6842
"""


def mirna_names(n: int) -> tuple[str, ...]:
    """Give `n` distinct names of human miRNAs in canonical form.

    Both arms of well-known miRNAs, as in ``hsa-miR-21-5p``; past these, numbers from 100001 that miRBase does not hold.
    """
    known = [f"hsa-{stem}-{arm}" for stem in _STEMS.split() for arm in ("5p", "3p")]
    made = [f"hsa-miR-{100001 + i}-5p" for i in range(n - len(known))]
    return tuple((known + made)[:n])


def protein_names(n: int) -> tuple[str, ...]:
    """Give `n` distinct names that no real protein has, as in ``EVP-0001``."""
    return tuple(f"EVP-{i + 1:04d}" for i in range(n))
