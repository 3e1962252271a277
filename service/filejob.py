"""The process that answers for files, one after the other; what it answers with is loaded before the first one comes."""

from __future__ import annotations

from exoclassify.model.child import carry_out
from service.filework import carried_out

if __name__ == "__main__":
    carry_out(carried_out)
