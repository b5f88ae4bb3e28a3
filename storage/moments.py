"""The moment at which a task is due for a reader, in SQL."""

from sqlalchemy import BigInteger, DateTime, Time, bindparam, case, cast, extract, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import Grouping

from storage.schema import tasks

# `Clock.offsets` has the values.
_turns = bindparam("turns", type_=ARRAY(BigInteger))
# PostgreSQL reads `$1::BIGINT[][1]` as a type.
_offsets = Grouping(bindparam("offsets", type_=ARRAY(BigInteger)))
_end_of_day = literal_column("time '23:59:59'", Time)
_clock_time = tasks.c.due_date.op("+", return_type=DateTime())(func.coalesce(tasks.c.due_time, _end_of_day))
_local = cast(extract("epoch", _clock_time), BigInteger)
_offset = _offsets[func.width_bucket(_local, _turns) + literal_column("1")]
moment = case((tasks.c.due_at.is_not(None), cast(extract("epoch", tasks.c.due_at), BigInteger)), else_=_local - _offset)
"""In seconds since 1970: the instant of a zoned time, a floating time on the reader's clock, or the end of the reader's
day for a task without a time. NULL without a date."""
