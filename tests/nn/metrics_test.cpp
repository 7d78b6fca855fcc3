#include <millrace/core/error.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/metrics.h>
#include <millrace/nn/model.h>
#include <millrace/nn/roc_auc.h>

#include "catch.h"
#include "nn/measured_case.h"
#include "recorded.h"

#include <cmath>
#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr double kTolerance = 1e-9;  // counts are equal; only divisions round

struct Samples {
  explicit Samples(const nlohmann::json& record)
      : classes(record["classes"]), labels(test::list<std::int32_t>(record["labels"])) {
    for (const double value : test::flat(record["outputs"])) {
      outputs.push_back(static_cast<float>(value));
    }
  }
  [[nodiscard]] std::size_t width() const { return outputs.size() / labels.size(); }
  /// Samples [first, last) into `metrics`.
  void add_to(ClassificationMetrics& metrics, std::size_t first, std::size_t last) const {
    const auto count = static_cast<std::int64_t>(last - first);
    metrics.add(std::span(outputs).subspan(first * width(), (last - first) * width()),
                ConstTensorView(std::span(labels).subspan(first, last - first), {count}), count);
  }
  std::int64_t classes;
  std::vector<std::int32_t> labels;
  std::vector<float> outputs;
};

void check_means(const ClassMetrics& means, const nlohmann::json& expected) {
  CHECK(means.precision == Approx(expected[0].get<double>()).epsilon(kTolerance));
  CHECK(means.recall == Approx(expected[1].get<double>()).epsilon(kTolerance));
  CHECK(means.f1 == Approx(expected[2].get<double>()).epsilon(kTolerance));
}

void check_recorded(const ClassificationMetrics& metrics, const nlohmann::json& record) {
  CHECK(metrics.accuracy() == Approx(record["accuracy"].get<double>()).epsilon(kTolerance));
  const std::vector<double> expected = test::flat(record["confusion"]);
  CHECK(std::equal(expected.begin(), expected.end(), metrics.confusion().begin(),
                   metrics.confusion().end()));
  const std::vector<ClassMetrics> classes = metrics.per_class();
  const auto& by_class = record["classes_"];
  for (std::size_t c = 0; c < classes.size(); ++c) {
    INFO("class " << c);
    check_means(classes[c], {by_class[0][c], by_class[1][c], by_class[2][c]});
    CHECK(classes[c].auc == Approx(record["areas"][c].get<double>()).epsilon(kTolerance));
  }
  check_means(ClassificationMetrics::macro(classes), record["macro"]);
  check_means(ClassificationMetrics::weighted(classes), record["weighted"]);
  CHECK(metrics.value("auc") == Approx(record["area"].get<double>()).epsilon(kTolerance));
  CHECK(metrics.value("f1") == Approx(record["macro"][2].get<double>()).epsilon(kTolerance));
  if (!record.contains("top")) return;
  for (const auto& [k, share] : record["top"].items()) {
    CHECK(metrics.value("top" + k) == Approx(share.get<double>()).epsilon(kTolerance));
  }
}

TEST_CASE("Metrics are scikit-learn's, with ties and with a class that is never predicted") {
  for (const auto& record : test::recorded("metrics.json")) {
    DYNAMIC_SECTION(record["classes"] << " classes, " << record["labels"].size() << " samples") {
      const Samples samples(record);
      const MetricsOptions options{.top_k = samples.classes > 2 ? std::vector<std::int64_t>{2, 3}
                                                                : std::vector<std::int64_t>{},
                                   .auc = true};
      ClassificationMetrics whole(samples.classes, options);
      samples.add_to(whole, 0, samples.labels.size());
      check_recorded(whole, record);

      ClassificationMetrics first(samples.classes, options), second(samples.classes, options);
      samples.add_to(first, 0, 7);
      samples.add_to(second, 7, 20);
      samples.add_to(first, 20, samples.labels.size());
      first.merge(second);
      check_recorded(first, record);
    }
  }
}

ClassificationMetrics metrics_of(const test::MeasuredCase& one) {
  MetricsOptions options{.auc = true, .outputs = one.kind()};
  if (one.classes > 2) options.top_k = {2};
  ClassificationMetrics metrics(one.classes, options);
  const auto samples = static_cast<std::int64_t>(one.labels.size());
  metrics.add(one.outputs, ConstTensorView(std::span(one.labels), {samples}), samples);
  return metrics;
}

void check_measured(const ClassMetrics& m, const test::MeasuredValues::Figures& expected) {
  CHECK(test::is_measured(m.precision, expected.precision));
  CHECK(test::is_measured(m.recall, expected.recall));
  CHECK(test::is_measured(m.f1, expected.f1));
  CHECK(test::is_measured(m.auc, expected.auc));
}

TEST_CASE("Measures of a thousand random cases are scikit-learn's") {
  const std::vector<test::MeasuredValues> values = test::measured_values();
  for (int number = 0; number < test::kMeasuredCases; ++number) {
    INFO("seed " << test::kMeasuredSeed << ", case " << number);
    const test::MeasuredCase one(number);
    const test::MeasuredValues& expected = values[static_cast<std::size_t>(number)];
    const ClassificationMetrics metrics = metrics_of(one);
    CHECK(test::is_measured(metrics.accuracy(), expected.accuracy));
    if (one.classes > 2) CHECK(test::is_measured(metrics.top_k(2), expected.top2));
    const std::vector<ClassMetrics> classes = metrics.per_class();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      INFO("class " << c);
      check_measured(classes[c], expected.classes[c]);
    }
    check_measured(ClassificationMetrics::macro(classes), expected.macro);
    check_measured(ClassificationMetrics::weighted(classes), expected.weighted);
    for (const auto& [name, value] :
         {std::pair("f1", expected.macro.f1), std::pair("auc", expected.macro.auc)}) {
      CHECK(test::is_measured(metrics.value(name), value));  // what training and events have
    }
  }
}

TEST_CASE("The loss of logits with weights of samples is scikit-learn's in the random cases") {
  const std::vector<test::MeasuredValues> values = test::measured_values();
  for (int number = 0; number < test::kMeasuredCases; ++number) {
    INFO("seed " << test::kMeasuredSeed << ", case " << number);
    const test::MeasuredCase one(number);
    const test::MeasuredValues& expected = values[static_cast<std::size_t>(number)];
    if (!one.is_logit) continue;
    const auto samples = static_cast<std::int64_t>(one.labels.size());
    const StepResult result = evaluate_loss<float>(
        one.width == 1 ? Loss::sigmoid_cross_entropy : Loss::softmax_cross_entropy, one.outputs,
        ConstTensorView(std::span(one.labels), {samples}), one.weights, samples, one.width, {});
    CHECK(test::is_measured(result.loss_sum / result.weight_sum, expected.loss));
    CHECK(test::is_measured(result.accuracy(), expected.accuracy));
  }
}

TEST_CASE("Classes without samples are named, and means leave them out") {
  ClassificationMetrics metrics(4, {.auc = true});
  const std::vector<float> outputs{0.7F, 0.1F, 0.2F, 0, 0.2F, 0.5F, 0.3F, 0};
  const std::vector<std::int32_t> labels{0, 2};
  metrics.add(outputs, ConstTensorView(std::span(labels), {2}), 2);
  CHECK(metrics.missing_classes() == std::vector<std::int64_t>{1, 3});
  CHECK(metrics.value("recall") == 0.5);  // of two classes, not of four
  CHECK(metrics.value("auc") == 1);
  metrics.reset();
  CHECK(metrics.missing_classes().size() == 4);
  CHECK(std::isnan(metrics.value("f1")));  // nothing to take a mean over
}

TEST_CASE("What outputs mean is told by how the model ends") {
  const auto kind = [](ModelBuilder builder) { return output_kind(builder.build()); };
  CHECK(kind(ModelBuilder("m", {4}).dense(3).softmax()) == OutputKind::probabilities);
  CHECK(kind(ModelBuilder("m", {4}).dense(1).sigmoid()) == OutputKind::probabilities);
  CHECK(kind(ModelBuilder("m", {4}).dense(3)) == OutputKind::softmax_logits);
  CHECK(kind(ModelBuilder("m", {4}).dense(3).relu()) == OutputKind::softmax_logits);
  CHECK(kind(ModelBuilder("m", {4}).dense(1)) == OutputKind::sigmoid_logit);
}

TEST_CASE("Rows of logits that differ by a constant tie, and large ones stay numbers") {
  const auto softmax = [](const std::vector<float>& row) {
    return class_probabilities(OutputKind::softmax_logits, row);
  };
  CHECK(softmax({1, 2.5F, 0}) == softmax({101, 102.5F, 100}));
  CHECK(softmax({1000, -1000})[0] == 1);
  CHECK(class_probabilities(OutputKind::sigmoid_logit, std::vector<float>{-1000})[1] == 0);
  CHECK(class_probabilities(OutputKind::probabilities, std::vector<float>{0.25F}) ==
        std::vector<double>{0.75, 0.25});
}

TEST_CASE("Labels as rows mean what labels as numbers mean") {
  const std::vector<float> outputs{0.1F, 0.7F, 0.2F, 0.5F, 0.25F, 0.25F};
  const std::vector<float> rows{0, 1, 0, 0.2F, 0.2F, 0.6F};
  ClassificationMetrics metrics(3);
  metrics.add(outputs, ConstTensorView(std::span(rows), {2, 3}), 2);
  CHECK(metrics.confusion()[1 * 3 + 1] == 1);
  CHECK(metrics.confusion()[2 * 3 + 0] == 1);
  const std::vector<float> probabilities{0.5F, 0.75F}, bits{0, 1};
  ClassificationMetrics binary(2);
  binary.add(probabilities, ConstTensorView(std::span(bits), {2, 1}), 2);
  CHECK(binary.accuracy() == 1);  // exactly one half means class 0
}

TEST_CASE("Of equal outputs the first counts as the higher one") {
  ClassificationMetrics metrics(3, {.top_k = {2}});
  const std::vector<float> outputs{0.4F, 0.4F, 0.4F, 0.4F, 0.4F, 0.4F, 0.4F, 0.4F, 0.4F};
  const std::vector<std::int32_t> labels{0, 1, 2};
  metrics.add(outputs, ConstTensorView(std::span(labels), {3}), 3);
  CHECK(metrics.accuracy() == Approx(1.0 / 3));
  CHECK(metrics.top_k(2) == Approx(2.0 / 3));
}

TEST_CASE("Outputs that are not numbers are not among the highest") {
  ClassificationMetrics metrics(3, {.top_k = {2}});
  const float nan = std::nanf("");
  const std::vector<float> outputs{nan, nan, nan, 0.1F, nan, 0.9F};
  const std::vector<std::int32_t> labels{1, 0};
  metrics.add(outputs, ConstTensorView(std::span(labels), {2}), 2);
  CHECK(metrics.top_k(2) == 0);
}

TEST_CASE("An area that does not exist is no number, and means leave it out") {
  const auto area = [](const std::vector<double>& scores, const std::vector<bool>& positive) {
    return roc_auc(scores, positive);
  };
  CHECK(area({1, 2, 3}, {false, true, true}) == 1);
  CHECK(area({1, 1, 1}, {false, true, true}) == 0.5);
  CHECK(std::isnan(area({1, 2}, {true, true})));
  CHECK(std::isnan(area({1, std::nan("")}, {true, false})));
  ClassificationMetrics metrics(3, {.auc = true});
  const std::vector<float> outputs{0.8F, 0.1F, 0.1F, 0.3F, 0.6F, 0.1F};
  const std::vector<std::int32_t> labels{0, 1};
  metrics.add(outputs, ConstTensorView(std::span(labels), {2}), 2);
  CHECK(std::isnan(metrics.per_class()[2].auc));
  CHECK(metrics.value("auc") == 1);
  metrics.reset();
  CHECK(metrics.samples() == 0);
  CHECK(metrics.accuracy() == 0);
}

TEST_CASE("Metrics are chosen by name, and unknown names are refused") {
  const std::vector<std::string> names{"top5", "auc", "f1", "accuracy"};
  const MetricsOptions options = metrics_options(names, 10);
  CHECK(options.top_k == std::vector<std::int64_t>{5});
  CHECK(options.auc);
  CHECK_THROWS_WITH(metrics_options(names, 3), "metric 'top5': there are 3 classes");
  for (const char* name : {"f2", "top", "top5x", "topping", ""}) {
    CHECK_THROWS_WITH(metrics_options(std::vector<std::string>{name}, 10), Contains("known:"));
  }
}

TEST_CASE("What does not fit is refused") {
  CHECK_THROWS_AS(ClassificationMetrics(1), UsageError);
  CHECK_THROWS_AS(ClassificationMetrics(3, {.top_k = {4}}), UsageError);
  ClassificationMetrics metrics(3);
  const std::vector<float> outputs{1, 0, 0};
  const std::vector<std::int32_t> labels{3};
  CHECK_THROWS_WITH(metrics.add(outputs, ConstTensorView(std::span(labels), {1}), 1),
                    Contains("label 3"));
  const std::vector<float> pair{0, 1};
  CHECK_THROWS_WITH(metrics.add(outputs, ConstTensorView(std::span(pair), {1, 2}), 1),
                    Contains("1x2"));
  // The matrix, outputs and labels, and what a curve sorts: scores, their order, a bit a sample.
  CHECK(ClassificationMetrics(3, {.auc = true}).bytes(100) ==
        Bytes{9 * 8 + 100 * 4 * 4 + 100 * 8 + 100 * 8 + 100 / 8});
}

}  // namespace
