#!/usr/bin/env python3
"""Makes the reference values of crates/i2am-stats.

Requirements (pip): scipy==1.17.1 numpy==2.4.6 statsmodels==0.15.0

    python scripts/golden/stats.py           from the root of the repository; rewrites the fixture folder

Needs no network. Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml. The numbers under
`published` are printed results of others, with their source; nothing computes them.
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import shutil
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

SEED = 20251125
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-stats/tests/fixtures/stats"
PACKAGES = "scipy numpy statsmodels".split()
METHODS = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
}
RESAMPLES = 400
TOLERANCE = "1e-10 absolute (sums in another order); printed results to half of their last digit"


def main():
    warnings.filterwarnings("ignore")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    expected = {
        "coefficients": [coefficients(name, table) for name, table in tables(rng).items()],
        "exact": [exact(rng, n, ties) for n in [2, 3, 4, 5, 6, 7] for ties in [False, True]],
        "intervals": [interval(rng, n, ties, level) for n, ties, level in [(30, False, 0.95), (24, True, 0.9), (6, False, 0.95)]],
        "partial": [partial(rng, n, covariates) for n, covariates in [(12, 1), (40, 1), (40, 2)]],
        "holm": holm(rng),
        "pooled": [pooled(rng, studies, spread) for studies, spread in [(2, 0.0), (5, 0.02), (9, 0.4)]],
        "quantiles": quantiles(rng),
        "published": published(),
        # Last, so that what stands before keeps its random numbers.
        "asymptotic": [asymptotic(rng, n, ties) for n, ties in [(8, False), (60, True), (700, False), (700, True)]],
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, allow_nan=False) + "\n")
    provenance()


def pair(rng, n, ties):
    x = rng.normal(size=n)
    y = 0.6 * x + rng.normal(size=n)
    if ties:
        x, y = np.round(x * 1.5), np.round(y * 1.5)
        # Never constant.
        x[:2], y[-2:] = [0, 1], [0, 1]
    return x, y


def tables(rng):
    found = {f"n{n}": pair(rng, n, False) for n in [2, 3, 5, 10, 100, 1000]}
    found |= {f"n{n}-ties": pair(rng, n, True) for n in [2, 4, 9, 50, 300]}
    x, y = pair(rng, 40, False)
    found |= {
        "heavy tails": (np.exp(4 * x), y),
        "far from zero": (x + 1e6, 1e-9 * y - 1),
        "tiny": (1e-200 * x, y),
        "two values": (np.sign(x), y),
        "signed zeros": (np.array([0.0, -0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, -4.0])),
        "reversed": (x, -x),
    }
    return found


def coefficients(name, table):
    x, y = table
    scale = max(abs(x))
    # scipy's Pearson underflows below 1e-162; a factor changes nothing.
    by = {method: METHODS[method](x / scale, y) if method == "pearson" and scale < 1e-150 else METHODS[method](x, y) for method in METHODS}
    return {"name": name, "x": x.tolist(), "y": y.tolist()} | {method: float(value) for method, value in by.items()}


def exact(rng, n, ties):
    x, y = pair(rng, n, ties)
    found = {"x": x.tolist(), "y": y.tolist()}
    for method, statistic in METHODS.items():
        test = stats.permutation_test((y,), lambda y: statistic(x, y), permutation_type="pairings", n_resamples=np.inf)
        found[method] = float(test.pvalue)
    return found


def asymptotic(rng, n, ties):
    """p by a distribution, and intervals on the scale of Fisher's z by a jackknife that computes everything anew."""
    x, y = pair(rng, n, ties)
    # Less alike, so that p is not 0.
    y = y if ties else 0.2 * x + rng.normal(size=n)
    tests = {"pearson": stats.pearsonr(x, y), "spearman": stats.spearmanr(x, y), "kendall": stats.kendalltau(x, y, method="asymptotic")}
    found = {"x": x.tolist(), "y": y.tolist(), "level": 0.9}
    for method, statistic in METHODS.items():
        estimate = statistic(x, y)
        left_out = np.array([statistic(np.delete(x, row), np.delete(y, row)) for row in range(n)])
        error = np.sqrt((n - 1) * np.var(left_out)) / (1 - estimate**2)
        reach = stats.norm.ppf(0.95) * error
        found[method] = [float(value) for value in [tests[method].pvalue, *np.tanh(np.arctanh(estimate) + [-reach, reach])]]
    return found


class Given(np.random.Generator):
    """A generator whose integers are those given."""

    def __init__(self, rows):
        super().__init__(np.random.PCG64(0))
        self.rows = rows

    def integers(self, low, high=None, size=None, **_):
        assert tuple(np.atleast_1d(size)) == self.rows.shape and max(low, high or 0) == self.rows.shape[1]
        return self.rows


def interval(rng, n, ties, level):
    x, y = pair(rng, n, ties)
    z = 0.5 * y + rng.normal(size=n)
    rows = rng.integers(0, n, (RESAMPLES, n))
    found = {"x": x.tolist(), "y": y.tolist(), "z": z.tolist(), "rows": rows.tolist(), "level": level}

    def ends(statistic, *columns):
        result = stats.bootstrap(
            columns, statistic, paired=True, vectorized=False, n_resamples=RESAMPLES, method="BCa", confidence_level=level, rng=Given(rows)
        )
        return [float(end) for end in result.confidence_interval]

    if n >= 20:
        for method, statistic in METHODS.items():
            found[method] = ends(statistic, x, y)
        found["partial"] = ends(lambda x, y, z: residuals(x, y, [z]), x, y, z)
    else:
        # Some resamples of few points are constant or nearly so; those with a value count.
        found["spearman"] = ends(METHODS["spearman"], x, y)
    return found


def residuals(x, y, given):
    """Correlation of what two regressions leave."""
    design = np.column_stack([np.ones(len(x)), *given])
    left = [column - design @ np.linalg.lstsq(design, column)[0] for column in [x, y]]
    return stats.pearsonr(*left).statistic


def partial(rng, n, covariates):
    given = [rng.normal(size=n) for _ in range(covariates)]
    x = sum(given) + rng.normal(size=n)
    y = 0.5 * x - sum(given) + rng.normal(size=n)
    found = {"x": x.tolist(), "y": y.tolist(), "given": [column.tolist() for column in given]}
    columns = [x, y, *given]
    points = n - covariates
    for method in ["pearson", "spearman"]:
        used = [stats.rankdata(column) for column in columns] if method == "spearman" else columns
        r = residuals(used[0], used[1], used[2:])
        t = r * np.sqrt((points - 2) / (1 - r**2))
        found[method] = [float(r), float(2 * stats.t.sf(abs(t), points - 2))]
    inverse = np.linalg.inv([[METHODS["kendall"](a, b) for b in columns] for a in columns])
    r = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    deviation = np.sqrt(2 * (2 * points + 5) / (9 * points * (points - 1)))
    found["kendall"] = [float(r), float(2 * stats.norm.sf(abs(r / deviation)))]
    return found


def holm(rng):
    p = [*rng.uniform(size=8) ** 3, 0.01, 0.01, 1.0, 1e-12]
    return {"p": p, "corrected": multipletests(p, method="holm")[1].tolist()}


def pooled(rng, studies, spread):
    r = np.tanh(0.3 + np.sqrt(spread) * rng.normal(size=studies))
    n = rng.integers(10, 200, studies)
    found = {"r": r.tolist(), "n": n.tolist(), "level": 0.9}
    for method, (factor, lost) in {"pearson": (1, 3), "spearman": (1.06, 3), "kendall": (0.437, 4)}.items():
        for covariates in [0, 1]:
            result = combine_effects(np.arctanh(r), factor / (n - lost - covariates), method_re="dl", use_t=False)
            # statsmodels goes on with a negative variance, which DerSimonian and Laird take for 0: no spread, fixed effects.
            spread = result.tau2 > 0
            low, high = result.conf_int(alpha=0.1)[1 if spread else 0]
            mean, error = (result.mean_effect_re, result.sd_eff_w_re) if spread else (result.mean_effect_fe, result.sd_eff_w_fe)
            p = 2 * stats.norm.sf(abs(mean / error))
            values = [np.tanh(mean), np.tanh(low), np.tanh(high), p, max(result.tau2, 0), result.q]
            found[f"{method}-{covariates}"] = [float(value) for value in values]
    return found


def quantiles(rng):
    values = np.sort(rng.normal(size=37))
    p = [0, 0.013, 0.025, 0.5, 0.731, 0.975, 1]
    return {"values": values.tolist(), "p": p, "quantiles": np.quantile(values, p).tolist()}


def published():
    return {
        "meng": [
            {
                "source": "Meng, Rosenthal, Rubin 1992, Psychological Bulletin 111, the first example",
                "first": 0.63, "second": -0.03, "between": -0.19, "n": 15, "z": 1.68, "half_digit": 0.005,
            },
            {
                "source": "R, cocor 1.1, in rmcorr's vignette on comparing correlations",
                "first": 0.8066, "second": 0.2383, "between": 0.2255, "n": 177, "z": 8.3907, "half_digit": 0.002,
                "low": 0.67, "high": 1.0784,
            },
            {
                "source": "R, cocor 1.1: LGBTQ climate with anxiety and depression",
                "first": 0.1724, "second": 0.1795, "between": 0.5387, "n": 646, "z": -0.1909, "half_digit": 0.002,
                "low": -0.0825, "high": 0.0678,
            },
        ],
        "steiger": [
            {
                "source": "R, cocor 1.1, in rmcorr's vignette on comparing correlations",
                "first": 0.8066, "second": 0.2383, "between": 0.2255, "n": 177, "z": 8.546, "half_digit": 0.002,
            },
            {
                "source": "R, cocor 1.1: LGBTQ climate with anxiety and depression",
                "first": 0.1724, "second": 0.1795, "between": 0.5387, "n": 646, "z": -0.1909, "half_digit": 0.002,
            },
        ],
        "partial": {
            "source": "Kim 2015, R, ppcor: pcor(y.data, method = 'spearman')",
            "hl": [7, 15, 19, 15, 21, 22, 57, 15, 20, 18],
            "disp": [0, 0.964, 0, 0, 0.921, 0, 0, 1.006, 0, 1.011],
            "deg": [9, 2, 3, 4, 1, 3, 1, 3, 6, 1],
            "bc": [1.78e-2, 1.05e-6, 1.37e-5, 7.18e-3, 0, 0, 0, 4.48e-3, 2.1e-6, 0],
            "hl_disp": -0.7647345, "hl_deg": -0.1367596, "hl_bc": -0.7860646, "disp_deg": -0.4845966, "half_digit": 5e-8,
        },
    }


def provenance():
    digest = hashlib.sha256((FOLDER / "expected.json").read_bytes()).hexdigest()
    versions = "\n".join(f'{name} = "{importlib.metadata.version(name)}"' for name in PACKAGES)
    text = f"""reference = "scipy, NumPy, statsmodels; printed results of R's cocor and ppcor and of Meng, Rosenthal, Rubin 1992"
command = "python scripts/golden/stats.py"
seed = {SEED}
device = "cpu, float64"
date = "{datetime.date.today()}"
tolerance = "{TOLERANCE}"

[versions]
python = "{platform.python_version()}"
{versions}

[sha256]
"expected.json" = "{digest}"
"""
    (FOLDER / "PROVENANCE.toml").write_text(text)


if __name__ == "__main__":
    main()
