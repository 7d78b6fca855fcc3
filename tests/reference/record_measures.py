#!/usr/bin/env python3
"""Records scikit-learn's measures of 1,000 random cases, for tests/nn and tests/apps.

A case is a function of its number (tests/nn/measured_case.h makes the same one from the same
random numbers): probabilities or logits, of one output or one a class, of few levels so that there
are ties; labels of all classes, of some, of one alone. Averages are over the classes that labels
name, areas over those that have one; what does not exist is NaN. Little-endian doubles, a case
after the other:

    accuracy, top 2 (three classes or more), loss (of logits, with the case's weights),
    macro precision, recall, F1, area, the same four weighted by support,
    then the four of each class

Libraries break ties between the classes of a sample in different ways: here the first counts as
the higher, as in Keras's accuracy and PyTorch's argmax on a CPU.
Recorded with Python 3.11, scikit-learn 1.9.1, numpy 2.4.6.

    python3 tests/reference/record_measures.py > tests/data/nn/measures.f64
"""
import math
import sys
import warnings

import numpy
from philox import Stream
from sklearn import metrics

CASES, SEED, USER = 1000, 18, 128
NOTHING = math.nan


class Case:
    def __init__(self, number):
        random = Stream(SEED, 0, number, USER)
        form = random.below(4)
        self.is_single, self.is_logit = form % 2 == 1, form >= 2
        self.classes = 2 if self.is_single else 2 + random.below(6)
        samples = 1 + random.below(60)
        levels = (4, 16, 1024)[random.below(3)]
        first = random.below(self.classes)
        width = 1 if random.below(8) == 0 else 2 + random.below(self.classes - 1)
        self.labels = [(first + random.below(width)) % self.classes for _ in range(samples)]
        self.weights = [(1 + random.below(8)) / 4 for _ in range(samples)]
        self.outputs = []
        for _ in range(samples):
            shift = random.below(3)  # softmax does not see it
            row = []
            for j in range(1 if self.is_single else self.classes):
                level = random.below(levels)
                # Logits of two columns are never equal: no tie depends on the order of a sum.
                row.append((level * 2 - levels) * 4 / levels + j / 4096 + shift if self.is_logit
                           else level / levels)
            self.outputs.append(row)

    def probabilities(self):
        """[samples][classes], in double; sums are rounded once."""
        rows = []
        for row in self.outputs:
            if self.is_single:
                p = 1 / (1 + math.exp(-row[0])) if self.is_logit else row[0]
                rows.append([1 - p, p])
            elif self.is_logit:
                exponentials = [math.exp(z - max(row)) for z in row]
                total = math.fsum(exponentials)
                rows.append([e / total for e in exponentials])
            else:
                rows.append(row)
        return numpy.array(rows)

    def predicted(self):
        if self.is_single:
            return [int(row[0] > (0 if self.is_logit else 0.5)) for row in self.outputs]
        return [int(numpy.argmax(row)) for row in self.outputs]


def area(case, p, label):
    positive = [int(other == label) for other in case.labels]
    if len(set(positive)) < 2:
        return NOTHING
    scores = -p[:, 1] if case.is_single and label == 0 else p[:, label]
    return metrics.roc_auc_score(positive, scores)


def mean_areas(case, p, areas):
    if case.classes == 2:
        return areas[1], areas[1]
    known = [c for c in range(case.classes) if not math.isnan(areas[c])]
    if not known:
        return NOTHING, NOTHING
    support = [case.labels.count(c) for c in known]
    macro = numpy.mean([areas[c] for c in known])
    weighted = numpy.average([areas[c] for c in known], weights=support)
    if case.is_logit and len(known) == case.classes:  # the library's own, where it takes the case
        for average, mean in (("macro", macro), ("weighted", weighted)):
            own = metrics.roc_auc_score(case.labels, p, multi_class="ovr", average=average)
            assert abs(own - mean) < 1e-12
    return macro, weighted


def top_two(case):
    """The library takes the last of equal scores, so each is lowered a little by its place."""
    if case.classes < 3:
        return NOTHING
    scores = numpy.array(case.outputs) - 1e-9 * numpy.arange(case.classes)
    return metrics.top_k_accuracy_score(case.labels, scores, k=2, labels=range(case.classes))


def measures(case):
    names, present = list(range(case.classes)), sorted(set(case.labels))
    predicted, p = case.predicted(), case.probabilities()
    shares = lambda labels, average: metrics.precision_recall_fscore_support(
        case.labels, predicted, labels=labels, average=average, zero_division=0)[:3]
    areas = [area(case, p, c) for c in names]
    macro_area, weighted_area = mean_areas(case, p, areas)
    loss = metrics.log_loss(case.labels, p, labels=names, sample_weight=case.weights) \
        if case.is_logit else NOTHING
    values = [metrics.accuracy_score(case.labels, predicted), top_two(case), loss]
    values += [*shares(present, "macro"), macro_area, *shares(present, "weighted"), weighted_area]
    for of_class in zip(*shares(names, None), areas):
        values += of_class
    return values


def main():
    warnings.simplefilter("ignore")  # of classes that nothing is predicted to be
    values = [value for number in range(CASES) for value in measures(Case(number))]
    sys.stdout.buffer.write(numpy.array(values, "<f8").tobytes())


if __name__ == "__main__":
    main()
