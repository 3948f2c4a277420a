"""What the job decides on a stream of transactions, computed slowly and obviously.

For each transaction everything is worked out anew from the list of what has arrived on its card:
no running sums, no state that could be wrong. It is the oracle of the kernel, and the words below
are the semantics:

1.  The order of a card is the order of its records in their partition.
2.  ``newest`` is the greatest event time of the card so far, this transaction included. A
    transaction older than the newest before it is late.
3.  A transaction whose id the card remembers is a repeat. It is not judged (no features, no rule,
    score 0) and leaves no trace, not even in what is newest. An id is remembered until the newest
    is 24 hours past what it was when the id came, and while it is among the last 256.
4.  The card stores events no older than the longest window before the newest; events of one instant
    in their order of arrival. (The kernel stores 256 of them, and sums up those before by 32nds of
    each window: beyond 256 it is the less exact of the two.) The values that distinct counts and
    means of a category look at are stored no longer than the longest window of such a feature of
    the same column; a transaction later than that gets NULL for them.
5.  A window is (t - w, t] in the transaction's own time, over what is stored, and the transaction
    itself unless the feature leaves it out. So a late one is decided as of its own time.
    Percentiles, robust z, times of day and means of a category look at the newest 100 that count
    (the kernel: of those it stores).
6.  A value is first seen unless the card remembers it: for 90 days after its last use, and at most
    128 values, of which the least recently used goes.
7.  A place is a transaction with coordinates that the place filter lets through. Travel is from the
    card's last place in time (of one instant: the last to arrive) to this one; there is none back
    in time. Speed counts at least a minute.
8.  Amounts are whole minor units of the base currency; features show major units.
9.  What was idle for longer than it remembers any event is forgotten: a card after 180 days,
    the others after their longest window; what labels tell (12) is counted apart.
10. A customer, merchant, device or network address stores the events of all its cards just so, in
    the order in which they came to it, and without repeats. That order is not decided by any one
    card's partition; the order given here is one of those that may be.
11. A customer's attributes are those of the profile as it was at the transaction's own time, among
    the newest four (``customers``).
12. What labels tell is counted by whole days (UTC): of the transactions on the ``window`` days that
    end ``delay`` days before the transaction's own, those known as fraud at its time. One is known
    as fraud from the time of its fraud label until that of a genuine one that arrives after it; a
    fraud label after that begins anew. Days are stored as far back from the newest as the longest
    window with its delay reaches. (Of more than 256 frauds the kernel knows the days alone.)
"""

from pipelines.reference.event import Arrival
from pipelines.reference.frauds import Told
from pipelines.reference.history import haversine_km
from pipelines.reference.stream import Decided, decide_stream

__all__ = ["Arrival", "Decided", "Told", "decide_stream", "haversine_km"]
