"""Recorded runs as `training-curves` could meet them: what the tests put in the place of the record's."""

import copy


def with_one_diverged(runs):
    """`runs` in which the second seed without warm-up breaks off half way at the highest rate."""
    runs = copy.deepcopy(runs)
    one = runs["runs"]["no_warmup"][-1][1]
    rows, checks = len(runs["steps"]) // 2, len(runs["checks"]) // 2
    step = runs["steps"][rows - 1]
    one.update(train=one["train"][:rows], valid=one["valid"][:checks], diverged=step, scores=[None, None])
    return runs


def without_costs(runs):
    """`runs` in which every change scores better than none: the first by 0.1 bits, each by 0.01 more than the last."""
    runs = copy.deepcopy(runs)
    truth = runs["runs"].pop("none")
    for i, rates in enumerate(runs["runs"].values()):
        for rate, seeds in enumerate(rates):
            for seed, one in enumerate(seeds):
                one["scores"] = [score - 0.1 - 0.01 * i for score in truth[rate][seed]["scores"]]
    runs["runs"] = {"none": truth, **runs["runs"]}
    return runs
