----------------------------- MODULE Directory -----------------------------
(* The log of names, and who finds a name that was forged in it: docs/directory.md.

   One name, of the owner O. A hostile node makes any number of logs, and shows any head of them to anyone. An epoch is
   what its map says of the name: the length of the name's chain, which begins with O's key. A second event puts a key of
   the node's there, a third one O's key again. So a chain of length 2 ends in a false key, and one chain continues
   another if it is not shorter. A head is the history that its hashes stand for: the epochs from the first on.

   A is someone else, who looks the name up. B writes with A, and is shown what O is shown: who is shown a third log
   is an O or an A to others. A and O can't write to each other past the node where A's key for O is false.

   W is a witness, which signs one history (Witness.tla). Where clients count only heads that W has signed, no text has to
   cross, and in these runs none does.

   The node acts unseen. A step by which anyone would hold evidence, or doubt the log, is no step of the model: it would
   end the run as the users want it. So ForgeryIsFound says that no run gets to where all have looked. *)
EXTENDS Integers, Sequences

CONSTANTS
    Epochs,         \* the longest log
    CheckContinues, \* whether a log that is shown must continue the one that was shown before
    CheckLeaf,      \* whether O looks at its own name with a login
    LookAsOthers,   \* whether O looks at its own name as others do, too, by a lookup
    CompareLookups, \* whether heads that come with lookups are compared with the log that one is shown
    CompareTexts,   \* whether heads that come with texts are
    ProofsAreNew,   \* whether a proof of the name must be of a log at least as long as the one that A knows
    ChainsGrow,     \* whether a later proof of the name must agree with the one before
    CheckWitness    \* whether clients that count on W take no head without its signature

VARIABLES
    known,          \* the log that A is shown, and the one that B and O are
    leaf,           \* the head with which O saw its own name last, at a login
    same,           \* whether O was shown A's newest proof, by a lookup of its own name
    proof,          \* the head of the newest proof that A keeps; None before the first
    knew,           \* how long the log was that A knew when it looked last
    lookedUp,       \* the head that came with A's lookup, still to be compared; or None
    told,           \* the head in the other side's text, still to be compared; or None
    crossed,        \* how long the longest head is that a text has brought to the other side, and was compared
    witnessed,      \* whether clients count on W
    signed          \* the newest head that W has signed

people == <<known, leaf, same, proof, knew, lookedUp, told, crossed>>
witness == <<witnessed, signed>>
vars == <<people, witness>>

Sides == {"O", "A"}
Other(side) == IF side = "O" THEN "A" ELSE "O"
None == <<>>
First == <<1>>      \* O has registered, and all have seen that epoch
Heads == {First \o later : later \in UNION {[1..n -> 1..3] : n \in 0..(Epochs - 1)}}
Last(head) == IF head = None THEN 0 ELSE head[Len(head)]
Continues(later, earlier) == Len(earlier) <= Len(later) /\ SubSeq(later, 1, Len(earlier)) = earlier
Shorter(one, other) == IF Len(one) <= Len(other) THEN one ELSE other
Longer(one, other) == IF Len(one) <= Len(other) THEN other ELSE one

Init ==
    /\ known = [side \in Sides |-> First] /\ leaf = First /\ same = FALSE
    /\ proof = None /\ knew = 0 /\ lookedUp = None
    /\ told = [side \in Sides |-> None] /\ crossed = 0
    /\ witnessed \in BOOLEAN /\ signed = First

(* Clients that count on W take this head. *)
Counts(head) == witnessed /\ CheckWitness => Continues(signed, head)

(* What a login or a heartbeat shows is refused if it does not continue what is known; the user then reads a doubt. *)
Shown(side, head) ==
    /\ Counts(head)
    /\ CheckContinues => Continues(head, known[side])
    /\ known' = [known EXCEPT ![side] = head]

(* O logs in, and sees its own name in the newest epoch: no event but its own. *)
Login(head) ==
    /\ Shown("O", head)
    /\ CheckLeaf => Last(head) = 1
    /\ leaf' = head
    /\ UNCHANGED <<same, proof, knew, lookedUp, told, crossed, witness>>

(* Heads that wait are compared with the log as soon as it is as long. One that is of no such log has the node's
   signature, or its sender sends it again with that. *)
Heartbeat(side, head) ==
    LET text == told[side]
        isText == text # None /\ Len(text) <= Len(head)
        isLook == side = "A" /\ lookedUp # None /\ Len(lookedUp) <= Len(head)
    IN
    /\ Shown(side, head)
    /\ CompareTexts /\ isText => Continues(head, text)
    /\ CompareLookups /\ isLook => Continues(head, lookedUp)
    /\ lookedUp' = IF isLook THEN None ELSE lookedUp
    /\ told' = IF isText THEN [told EXCEPT ![side] = None] ELSE told
    /\ crossed' = IF isText /\ Len(text) > crossed THEN Len(text) ELSE crossed
    /\ UNCHANGED <<leaf, same, proof, knew, witness>>

(* A looks the name up, with proof. The first time the node shows its key: what was shown before only binds the node.
   Later, A's client has compared the former head, since one that waits for a minute is a doubt; and of a longer log the
   chain must not be shorter than before. A proof of no longer log that does not agree is not kept. One of a shorter log
   than A knows is refused. *)
Look(head) ==
    LET agrees == Last(head) >= Last(proof)
        isLater == Len(head) > Len(proof)
    IN
    /\ Counts(head)
    /\ lookedUp = None
    /\ proof = None => Last(head) = 2
    /\ ProofsAreNew => Len(head) >= Len(known["A"])
    /\ ChainsGrow /\ isLater => agrees
    /\ proof' = IF agrees \/ isLater THEN head ELSE proof
    /\ knew' = Len(known["A"])
    /\ lookedUp' = head
    /\ same' = (same /\ proof' = proof)
    /\ UNCHANGED <<known, leaf, told, crossed, witness>>

(* O looks its own name up, and sees no event but its own. The node does not know that it is O who asks. *)
OwnLook(head) ==
    /\ LookAsOthers => Last(head) = 1
    /\ same' = (proof # None /\ head = proof)
    /\ UNCHANGED <<known, leaf, proof, knew, lookedUp, told, crossed, witness>>

(* A text carries the newest head that its writer was shown. *)
Write(side) ==
    /\ ~witnessed
    /\ told[Other(side)] = None
    /\ told' = [told EXCEPT ![Other(side)] = known[side]]
    /\ UNCHANGED <<known, leaf, same, proof, knew, lookedUp, crossed, witness>>

(* The node has W sign a head. *)
Sign(head) ==
    /\ witnessed /\ Continues(head, signed)
    /\ signed' = head
    /\ UNCHANGED <<people, witnessed>>

Next ==
    \/ \E head \in Heads :
        Login(head) \/ Look(head) \/ OwnLook(head) \/ Sign(head) \/ \E side \in Sides : Heartbeat(side, head)
    \/ \E side \in Sides : Write(side)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* From the shorter head to the longer one the node has left the chain as it was. *)
StoodStill(one, other) ==
    LET longer == Longer(one, other) IN
    \A at \in Len(Shorter(one, other))..Len(longer) : longer[at] = Last(longer)

(* All who are due to look have looked: O has seen its name with a login, and A has looked it up, once or again, in epochs
   between which the node left the chain as it was; or A has been shown an older epoch than O, although A knew a log as
   long as O's. A's client has compared what its lookups brought; and where clients do not count on W, a text has come
   from B to A or from A to B, with a head at least as long as the shorter of both, and was compared.

   A node may change the chain back and forth, so that A's lookups and O's logins see their own each time. It can't tell
   O's lookups from A's, and so shows both the same before long. Where it can tell, as over a nym-client, an audit alone
   finds it, which is not in this model. *)
AllHaveLooked ==
    \/ same
    \/ /\ proof # None
       /\ StoodStill(leaf, proof) \/ (Len(proof) < Len(leaf) /\ Len(leaf) <= knew)
       /\ lookedUp = None
       /\ witnessed \/ crossed >= Len(Shorter(leaf, proof))

(* A node that shows A a false key is found when all have looked, if not before. *)
ForgeryIsFound == ~AllHaveLooked
=============================================================================
