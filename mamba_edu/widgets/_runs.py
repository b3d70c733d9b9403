"""The recorded runs that the figure `training-curves` draws: what is kept of the record, for Python and for the page.

    python -m mamba_edu.widgets._runs

writes `training_runs.js` anew; do so after a new record, a test asks for it.
"""

import json
from pathlib import Path

from ..records import load_record

RECORD = "training_ablations"
SCRIPT = Path(__file__).with_name("training_runs.js")
# the record's key of a change: the trait that shows the runs with it
TRAITS = {
    "delta_init": "plain_delta",
    "decay_groups": "decay_all",
    "warmup": "no_warmup",
    "clip": "no_clip",
    "carry_state": "carry_state",
}


def recorded_runs(record=None):
    """What the figure draws of `record` (by default the one that ships, as `load_record` gives it), as JSON values.

    date, device, threads, text, parameters, warmup: the circumstances. steps, checks: the steps that have a row of
    training, of validation. rates: the learning rates, rising. changes: {trait: what it stands for, in words}.
    runs: {"none" or trait: [rate][seed] -> {train, valid: bits per byte at the first so many of `steps` and `checks`,
    diverged: None or the step of the last row, scores: bits per byte of the whole validation text at the end, with
    every window from a zero state and with the state carried, None where it diverged}}.

    Raises ValueError where a run of the record is missing, two have one place, or one without a change diverged: then
    there is nothing to compare with.
    """
    record = load_record(RECORD) if record is None else record
    rates = sorted({run["lr"] for run in record["runs"]})
    seeds = sorted({run["seed"] for run in record["runs"]})
    found = {(run["key"], run["lr"], run["seed"]): run for run in record["runs"]}
    wanted = [(key, lr, seed) for key in ("none", *TRAITS) for lr in rates for seed in seeds]
    if sorted(found) != sorted(wanted) or len(record["runs"]) != len(wanted):
        odd = sorted(set(wanted) ^ set(found)) or "two runs in one place"
        raise ValueError(f"record must hold one run for each change, rate and seed, got {len(record['runs'])}: {odd}")
    broken = [
        (run["lr"], run["seed"]) for run in record["runs"] if run["key"] == "none" and run["diverged"] is not None
    ]
    if broken:
        raise ValueError(f"record must hold runs without a change that end, got diverged (rate, seed): {broken}")
    longest = {kind: max((run[kind] for run in record["runs"]), key=len) for kind in ("train", "valid")}
    return {
        "date": record["date"][:10],
        "device": record["device"]["name"],
        "threads": record["threads"],
        "text": record["data"]["name"],
        "parameters": record["model"]["parameters"],
        "warmup": record["settings"]["warmup"],
        "steps": [row["step"] for row in longest["train"]],
        "checks": [row["step"] for row in longest["valid"]],
        "rates": rates,
        "changes": {trait: found[key, rates[0], seeds[0]]["change"] for key, trait in TRAITS.items()},
        "runs": {
            TRAITS.get(key, key): [[_kept(found[key, lr, seed]) for seed in seeds] for lr in rates]
            for key in ("none", *TRAITS)
        },
    }


def _kept(run):
    """One run with the digits that a drawing needs."""
    scores = run["bits_per_byte"]
    return {
        "train": [round(row["bpb"], 3) for row in run["train"]],
        "valid": [round(row["bpb"], 4) for row in run["valid"]],
        "diverged": run["diverged"],
        "scores": [None if scores[name] is None else round(scores[name], 4) for name in ("valid", "valid_carried")],
    }


def runs_script(runs):
    """`runs` (of `recorded_runs`) as the JavaScript module that the figure imports, a line for each run."""
    about = {name: value for name, value in runs.items() if name != "runs"}
    lines = [f"  {name}: {_json(value)}," for name, value in about.items()]
    lines.append("  runs: {")
    for key, rates in runs["runs"].items():
        lines.append(f"    {key}: [")
        for seeds in rates:
            lines += ["      [", *(f"        {_json(run)}," for run in seeds), "      ],"]
        lines.append("    ],")
    lines.append("  },")
    head = f"/** Recorded runs, from records/{RECORD}.json by `python -m mamba_edu.widgets._runs`. */\n\n"
    return head + "export const record = {\n" + "\n".join(lines) + "\n};\n"


def _json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    SCRIPT.write_text(runs_script(recorded_runs()), encoding="utf-8")
