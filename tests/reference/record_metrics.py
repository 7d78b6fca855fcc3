#!/usr/bin/env python3
"""Records scikit-learn's metrics of classifiers' outputs, for tests/nn.

Outputs are rounded to few digits, so that areas have ties; within a row the outputs differ, because
libraries break ties of classes in different ways.
Recorded with Python 3.11, scikit-learn 1.9.1, numpy 2.4.6.

    python3 tests/reference/record_metrics.py --seed 1 > tests/data/nn/metrics.json
"""
import argparse
import json

import numpy
from sklearn import metrics


def multiclass(random, classes, samples, digits):
    labels = random.integers(0, classes, samples)
    labels[:classes] = numpy.arange(classes)  # scikit-learn's areas want every class
    scores = random.dirichlet(numpy.ones(classes), samples)
    scores[numpy.arange(samples), labels] += random.uniform(0, 0.5, samples)
    scores = numpy.round(scores, digits) + 1e-4 * random.permuted(
        numpy.tile(numpy.arange(classes), (samples, 1)), axis=1)
    return numpy.float32(scores), labels


def record(scores, labels, classes):
    single = scores.ndim == 1
    predicted = (scores > 0.5).astype(int) if single else scores.argmax(axis=1)
    names = list(range(classes))
    result = {"classes": classes, "outputs": scores.tolist(), "labels": labels.tolist(),
              "confusion": metrics.confusion_matrix(labels, predicted, labels=names).tolist(),
              "accuracy": metrics.accuracy_score(labels, predicted)}
    for average in (None, "macro", "weighted"):
        values = metrics.precision_recall_fscore_support(
            labels, predicted, labels=names, average=average, zero_division=0)
        result[average or "classes_"] = [numpy.asarray(v).tolist() for v in values[:3]]
    score_of = (lambda c: scores if c == 1 else -scores) if single else (lambda c: scores[:, c])
    result["areas"] = [metrics.roc_auc_score(labels == c, score_of(c)) for c in names]
    result["area"] = result["areas"][1] if classes == 2 else float(numpy.mean(result["areas"]))
    if not single and classes > 2:
        result["top"] = {k: metrics.top_k_accuracy_score(labels, scores, k=k, labels=names)
                         for k in (2, 3)}
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    records = [record(*multiclass(random, classes, samples, digits), classes)
               for classes, samples, digits in ((3, 40, 1), (5, 200, 2), (10, 150, 1), (2, 60, 1))]
    for samples, digits in ((50, 1), (120, 3)):
        labels = random.integers(0, 2, samples)
        scores = numpy.round(numpy.clip(labels * 0.2 + random.uniform(0, 0.8, samples), 0, 1),
                             digits)
        records.append(record(numpy.float32(scores), labels, 2))
    # A class that nothing is predicted to be.
    scores, labels = multiclass(random, 4, 60, 2)
    scores[:, 2] = 0
    records.append(record(scores, labels, 4))
    print(json.dumps(records, separators=(",", ":")))


if __name__ == "__main__":
    main()
