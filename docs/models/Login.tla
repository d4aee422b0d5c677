------------------------------- MODULE Login -------------------------------
(* Logins and the route that they open: docs/protocol.md, "Registration and login".

   One user at one node. The user's mixnet client may be built again, and so get another sender tag; what it sent before
   may still be under way. Anyone may ask for a challenge in the user's name, hears every proof, and may send each one
   again, at any time, from a tag of their own. The node keeps no challenge: it only counts them, and the challenge
   itself holds the count and the tag that asked. *)
EXTENDS Integers, FiniteSets

CONSTANTS
    Asks,           \* how many challenges are made
    Builds,         \* how often the user's mixnet client is built again
    Restarts,       \* how often the node's process starts again
    CheckTag,       \* whether a proof must come from the tag that asked
    CheckOrder      \* whether an older challenge than the latest login's is refused

Thief == 0          \* the thief's tag; the user's are 1, 2, ...

VARIABLES
    tag,            \* the user's sender tag now
    boot,           \* the node's process, which knows the secret that challenges are made with
    count,          \* challenges made by this process
    challenges,     \* all challenges that were ever made
    proofs,         \* all proofs that the user ever signed: the mixnet forgets none
    route,          \* the open route, or NoRoute
    latest          \* the count of the latest login's challenge, in this process

vars == <<tag, boot, count, challenges, proofs, route, latest>>

NoRoute == [tag |-> -1, number |-> 0, boot |-> 0]

Init ==
    /\ tag = 1 /\ boot = 1 /\ count = 0 /\ latest = 0
    /\ challenges = {} /\ proofs = {} /\ route = NoRoute

(* The user, or the thief in the user's name, asks: the node makes a challenge, and keeps nothing but the count. *)
Ask(from) ==
    /\ Cardinality(challenges) < Asks
    /\ count' = count + 1
    /\ challenges' = challenges \cup {[boot |-> boot, number |-> count + 1, tag |-> from]}
    /\ UNCHANGED <<tag, boot, proofs, route, latest>>

(* The user signs the answer to a request of its own: a challenge comes to the tag that asked for it. *)
Prove(challenge) ==
    /\ challenge.tag # Thief
    /\ proofs' = proofs \cup {challenge}
    /\ UNCHANGED <<tag, boot, count, challenges, route, latest>>

(* A proof arrives from a tag: the user's of now or before (it was under way), or the thief's. *)
Arrive(proof, from) ==
    /\ proof.boot = boot
    /\ CheckTag => proof.tag = from
    /\ CheckOrder => proof.number >= latest
    /\ route' = [tag |-> from, number |-> proof.number, boot |-> boot]
    /\ latest' = proof.number
    /\ UNCHANGED <<tag, boot, count, challenges, proofs>>

(* The user's mixnet client is built again: its old tag leads nowhere. *)
Build ==
    /\ tag <= Builds
    /\ tag' = tag + 1
    /\ UNCHANGED <<boot, count, challenges, proofs, route, latest>>

(* The node's process ends: routes, count and secret are in its memory only. *)
Restart ==
    /\ boot <= Restarts
    /\ boot' = boot + 1 /\ count' = 0 /\ latest' = 0 /\ route' = NoRoute
    /\ UNCHANGED <<tag, challenges, proofs>>

Next ==
    \/ Ask(tag) \/ Ask(Thief)
    \/ \E challenge \in challenges : Prove(challenge)
    \/ \E proof \in proofs, from \in {Thief} \cup 1..tag : Arrive(proof, from)
    \/ Build \/ Restart

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* No one but the user has the user's route. *)
RouteIsTheUsers == route.tag # Thief

(* A route never goes back to the answer to an older challenge: what a dead client left in the mixnet moves nothing. *)
RoutesDoNotGoBack == [][route'.boot = route.boot => route'.number >= route.number]_vars
=============================================================================
