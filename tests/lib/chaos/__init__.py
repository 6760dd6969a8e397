"""The judge of the promise "no message lost, none answered twice": the platform under load while its parts are killed.

    python -m chaos --seed 7 --layout sqlite

The simulator lives all the time and is the witness: it knows every message that was written and every answer. Everything else is
killed, ended, cut off and replaced according to a plan that the seed alone decides (`plans`). Pure: `questions` (what is
written), `plans` (what goes wrong when), `verdicts` (what came of it). Edges: `processes` and `layouts` (what runs), `discord`
(the simulator), `deeds` (faults carried out), `runs` (a whole run), `trails` (where a message was seen last).
"""
