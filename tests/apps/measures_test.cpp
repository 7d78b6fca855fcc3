// Models that end in logits: what training, its events, `evaluate` and `predict` say of them is
// what scikit-learn says of the probabilities.

#include "apps/evaluate/evaluation_report.h"
#include "apps/known_model.h"
#include "apps/train_run.h"
#include "io/event_file.h"
#include "nn/measured_case.h"

#include <millrace/nn/model_json.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

/// A table of the logits, and a model that gives them as they are.
class LogitsRun {
 public:
  explicit LogitsRun(const MeasuredCase& one) {
    std::string table;
    for (std::int64_t j = 0; j < one.width; ++j) table += concat("logit", j, ',');
    table += "label\n";
    for (std::size_t n = 0; n < one.labels.size(); ++n) {
      for (std::int64_t j = 0; j < one.width; ++j) {
        table += text_of(one.outputs[n * static_cast<std::size_t>(one.width) +
                                     static_cast<std::size_t>(j)]) +
                 ',';
      }
      table += std::to_string(one.labels[n]) + '\n';
    }
    data_ = scratch_.write("data.csv", table).string();
    const nn::Model model = nn::ModelBuilder("logits", {one.width}).dense(one.width).build();
    std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
    for (const nn::Parameter& p : nn::parameters(model)) {
      if (p.role != nn::Role::kernel) continue;
      for (std::int64_t j = 0; j < one.width; ++j) {
        values[static_cast<std::size_t>(p.offset + j * one.width + j)] = 1;
      }
    }
    save_model(scratch_ / "identity.safetensors", model, values);
    const std::string json = scratch_.write("model.json", nn::to_json(model)).string();
    // A rate that is nothing in float32.
    trained(data_, run_dir(),
            {"--validation", data_, "--model", json, "--weights",
             (scratch_ / "identity.safetensors").string(), "--scale", "1", "--epochs", "1",
             "--optimizer", "sgd", "--learning-rate", "1e-300", "--metrics",
             "precision,recall,f1,auc"});
  }

  [[nodiscard]] fs::path run_dir() const { return scratch_ / "run"; }
  [[nodiscard]] nlohmann::json evaluated() const {
    return json_of(run({"evaluate", run_dir().string(), data_, "--json"}));
  }

 private:
  static std::string text_of(float value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
  }

  Scratch scratch_;
  std::string data_;
};

void check_classes(const nlohmann::json& evaluated, const MeasuredValues& expected) {
  const auto check = [](const nlohmann::json& figures, const MeasuredValues::Figures& e) {
    CHECK(is_measured(figures["precision"], e.precision));
    CHECK(is_measured(figures["recall"], e.recall));
    CHECK(is_measured(figures["f1"], e.f1));
    CHECK(is_measured(figures["auc"], e.auc));
  };
  CHECK(is_measured(evaluated["accuracy"], expected.accuracy));
  CHECK(is_measured(evaluated["auc"], expected.macro.auc));
  check(evaluated["macro"], expected.macro);
  check(evaluated["weighted"], expected.weighted);
  for (std::size_t c = 0; c < expected.classes.size(); ++c) {
    INFO("class " << c);
    check(evaluated["classes"][c], expected.classes[c]);
  }
}

/// metrics.csv has nine digits, events have float32.
void check_training(const fs::path& run_dir, const MeasuredValues& expected) {
  for (const auto& [name, value] :
       {std::pair("precision", expected.macro.precision),
        std::pair("recall", expected.macro.recall), std::pair("f1", expected.macro.f1),
        std::pair("auc", expected.macro.auc)}) {
    INFO(name);
    CHECK(is_measured(std::stod(column(run_dir, concat("val_", name)).at(0)), value));
    const auto curve = values_of(run_dir / "events/validation", concat("epoch_", name));
    REQUIRE(curve.size() == 1);
    CHECK(curve[0] == Approx(value).margin(1e-7));
  }
}

}  // namespace

TEST_CASE(
    "training, events and evaluate measure a model that ends in logits as scikit-learn does") {
  const std::vector<MeasuredValues> values = measured_values();
  std::map<std::pair<std::int64_t, std::int64_t>, int> done;  // by classes and outputs
  for (int number = 0; number < kMeasuredCases; ++number) {
    const MeasuredCase one(number);
    const std::set<std::int32_t> named(one.labels.begin(), one.labels.end());
    const bool has_all = static_cast<std::int64_t>(named.size()) == one.classes;
    if (!one.is_logit || !has_all || one.classes == 5 || one.classes == 6) continue;
    if (++done[{one.classes, one.width}] > 1) continue;
    INFO("seed " << kMeasuredSeed << ", case " << number);
    const LogitsRun logits(one);
    check_classes(logits.evaluated(), values[static_cast<std::size_t>(number)]);
    check_training(logits.run_dir(), values[static_cast<std::size_t>(number)]);
  }
  CHECK(done.size() == 5);  // 2, 3, 4 and 7 classes, and two with one output
}

TEST_CASE("an area of a validation set with one class is no number wherever it is told") {
  const Scratch scratch;
  const std::string data = scratch.write("data.csv", "a,b,label\n1,2,0\n2,1,1\n3,5,1\n").string();
  const std::string one = scratch.write("one.csv", "a,b,label\n1,2,1\n2,1,1\n").string();
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir,
          {"--validation", one, "--model", "mlp:4", "--epochs", "1", "--metrics", "auc,f1"});
  CHECK(column(run_dir, "val_auc").at(0) == "nan");
  CHECK(std::isnan(values_of(run_dir / "events/validation", "epoch_auc").at(0)));
  const auto evaluated = json_of(run({"evaluate", run_dir.string(), one, "--json"}));
  CHECK(evaluated["auc"].is_null());
  CHECK(evaluated["macro"]["auc"].is_null());
  // Of the one class that there is: no mean with a class without samples.
  CHECK(evaluated["macro"]["recall"] == evaluated["classes"][1]["recall"]);
  const test::Outcome text = run({"evaluate", run_dir.string(), one});
  for (const std::string& line : test::Outcome::lines(text.out)) {
    if (line.rfind("mean", 0) == 0) CHECK(holds(line, "  -  "));
  }
}

TEST_CASE(
    "a class without samples has no recall in the table, and is not among the worst of many") {
  const auto table_of = [](std::int64_t classes) {
    nn::ClassificationMetrics metrics(classes);
    std::vector<float> outputs(static_cast<std::size_t>(2 * classes));
    outputs[1] = outputs[static_cast<std::size_t>(classes) + 1] = 1;
    const std::vector<std::int32_t> labels{0, 1};
    metrics.add(outputs, ConstTensorView(std::span(labels), {2}), 2);
    std::vector<std::string> names;
    for (std::int64_t c = 0; c < classes; ++c) names.push_back(concat("class", c));
    std::ostringstream text;
    apps::print_classes(text, metrics, names);
    return text.str();
  };
  const std::string few = table_of(3);
  CHECK(holds(few, "class2            0.0000       -       -    -        0\n"));
  CHECK(holds(few, "mean              0.2500  0.5000  0.3333    -        2\n"));
  const std::string many = table_of(50);
  CHECK(holds(many, "the 2 classes with the lowest F1 of 50:\n"));
  CHECK(holds(many, "class1 "));
  CHECK_FALSE(holds(many, "class2 "));
}
