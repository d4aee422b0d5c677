------------------------------ MODULE Witness ------------------------------
(* A node that signs heads of another node's log: docs/directory.md, "Witnesses".

   The other node is hostile: it keeps any number of logs, and asks for signatures to any head of them. A head is the
   history that its hashes stand for: the entries from the first on. The witness's process may end at any moment. Its
   store may be put back to any state that it had; the mark, a second file, is in no copy. *)
EXTENDS Integers, Sequences

CONSTANTS
    Entries,        \* the longest log
    WitnessChecks,  \* whether a head is signed only if it continues the one that the store has
    PersistFirst,   \* whether a signature leaves only when its head is in the store and in the mark
    CheckMark       \* whether nothing is signed where the store lacks the head that the mark has

VARIABLES
    store,          \* the newest head in the store
    mark,           \* the one in the mark
    stored,         \* all that the store ever had
    inHand,         \* the head that was asked for, while it is kept and answered; or Idle
    cosigned        \* all heads whose signature was given out

vars == <<store, mark, stored, inHand, cosigned>>

None == <<>>        \* no head yet: all continue it
Heads == UNION {[1..n -> 1..2] : n \in 1..Entries}
Idle == <<0>>
Continues(later, earlier) == Len(earlier) <= Len(later) /\ SubSeq(later, 1, Len(earlier)) = earlier

Init == store = None /\ mark = None /\ stored = {None} /\ inHand = Idle /\ cosigned = {}

(* The log's node asks for a signature to a head. *)
Ask(head) ==
    /\ inHand = Idle
    /\ CheckMark => Continues(store, mark)
    /\ WitnessChecks => Continues(head, store)
    /\ inHand' = head
    /\ UNCHANGED <<store, mark, stored, cosigned>>

(* The head is committed, and then in the mark. *)
Commit ==
    /\ inHand # Idle
    /\ store' = inHand /\ stored' = stored \cup {inHand}
    /\ UNCHANGED <<mark, inHand, cosigned>>

Mark ==
    /\ inHand # Idle /\ store = inHand
    /\ mark' = store
    /\ UNCHANGED <<store, stored, inHand, cosigned>>

(* The signature leaves. *)
Answer ==
    /\ inHand # Idle
    /\ PersistFirst => store = inHand /\ mark = inHand
    /\ cosigned' = cosigned \cup {inHand}
    /\ UNCHANGED <<store, mark, stored, inHand>>

Done ==
    /\ inHand \in cosigned /\ store = inHand /\ mark = inHand
    /\ inHand' = Idle
    /\ UNCHANGED <<store, mark, stored, cosigned>>

(* The process ends, and another one begins: with the store as it is, or an older one. *)
Restart(older) ==
    /\ store' = older
    /\ inHand' = Idle
    /\ UNCHANGED <<mark, stored, cosigned>>

Next ==
    \/ \E head \in Heads : Ask(head)
    \/ Commit \/ Mark \/ Answer \/ Done
    \/ \E older \in stored : Restart(older)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Of two heads that the witness has signed one continues the other. *)
OneHistory == \A one, other \in cosigned : Continues(one, other) \/ Continues(other, one)
=============================================================================
