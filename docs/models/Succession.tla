----------------------------- MODULE Succession -----------------------------
(* Identities of one name, and which of them a contact follows: docs/protocol.md, "Key records".

   The owner holds the recovery key and the first identity key. A thief steals identity keys, never the recovery key. The
   node is hostile too: it keeps every chain that was ever made, and shows any of them, to the owner and to the contact.
   Links are numbered as they are made; a link is [id, owner, recoveries, by]. *)
EXTENDS Integers, Sequences

CONSTANTS
    Links,          \* how many identities are made, the first included
    CountMatters,   \* whether a contact follows a recovery only if its count exceeds the pinned one
    FreshSeeds      \* whether a replacement's key is fresh, or that of the number behind the links that the node shows

VARIABLES
    made,           \* identities so far
    chains,         \* every chain that was valid at some time
    stolen,         \* identity keys that the thief has
    pinned,         \* the link that the contact follows
    history,        \* the highest count of recoveries that the contact has followed
    keys            \* which key an identity has: equal numbers are equal keys

vars == <<made, chains, stolen, pinned, history, keys>>

First == [id |-> 1, holder |-> "owner", recoveries |-> 0, by |-> "first"]

Init ==
    /\ made = 1
    /\ chains = {<<First>>}
    /\ stolen = {}
    /\ pinned = First
    /\ history = 0
    /\ keys = [id \in {1} |-> 1]

Last(chain) == chain[Len(chain)]

(* The key of the link's identity is known to the thief. *)
Compromised(link) == link.holder = "thief" \/ keys[link.id] \in stolen

(* The thief takes the key of an identity of the owner's. *)
Steal(link) ==
    /\ link.holder = "owner"
    /\ stolen' = stolen \cup {keys[link.id]}
    /\ UNCHANGED <<made, chains, pinned, history, keys>>

With(id, key) == [each \in (DOMAIN keys) \cup {id} |-> IF each = id THEN key ELSE keys[each]]

(* The thief makes another identity the successor of one whose key it has. *)
ThiefFollows(chain) ==
    /\ made < Links
    /\ Compromised(Last(chain))
    /\ made' = made + 1
    /\ chains' = chains \cup {Append(chain,
           [id |-> made + 1, holder |-> "thief", recoveries |-> Last(chain).recoveries, by |-> "identity"])}
    /\ keys' = With(made + 1, made + 1)
    /\ UNCHANGED <<stolen, pinned, history>>

(* The links of a chain up to the last that no identity key alone allowed. *)
OwnersPart(chain) ==
    LET place == CHOOSE at \in 1..Len(chain) :
            /\ chain[at].by # "identity"
            /\ \A later \in (at + 1)..Len(chain) : chain[later].by = "identity"
    IN SubSeq(chain, 1, place)

(* The owner replaces the identity, by the recovery key, on a machine that knows only the chain that the node shows. *)
Recover(chain) ==
    LET before == OwnersPart(chain) IN
    /\ made < Links
    /\ made' = made + 1
    /\ chains' = chains \cup {Append(before,
           [id |-> made + 1, holder |-> "owner", recoveries |-> Last(before).recoveries + 1, by |-> "recovery"])}
    /\ keys' = With(made + 1, IF FreshSeeds THEN made + 1 ELSE Len(before) + 1)
    /\ UNCHANGED <<stolen, pinned, history>>

(* `accepts_change`: the chain continues from the pinned identity, or a recovery in it beats what is pinned. *)
Accepts(chain) ==
    \/ \E at \in 1..Len(chain) : chain[at].id = pinned.id
    \/ \E at \in 2..Len(chain) :
           /\ chain[at].by = "recovery"
           /\ CountMatters => chain[at].recoveries > pinned.recoveries

(* The contact looks the name up, and is shown a chain. *)
Look(chain) ==
    /\ Accepts(chain)
    /\ pinned' = Last(chain)
    /\ history' = IF Last(chain).recoveries > history THEN Last(chain).recoveries ELSE history
    /\ UNCHANGED <<made, chains, stolen, keys>>

Next ==
    \E chain \in chains :
        \/ Steal(Last(chain)) \/ ThiefFollows(chain) \/ Recover(chain) \/ Look(chain)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What a recovery has replaced is never followed again: the count that a contact has followed does not fall. *)
RecoveriesNeverFall == pinned.recoveries = history

(* A replacement has a key that no identity had before: what a node shows chooses no secret. *)
ReplacementsAreNew == \A one, other \in DOMAIN keys : keys[one] = keys[other] => one = other
=============================================================================
