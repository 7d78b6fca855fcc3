// The float64 loops of layers against what PyTorch makes of the same numbers.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/call.h>

#include "catch.h"
#include "recorded.h"

#include <set>
#include <utility>

namespace {

using namespace millrace;
using namespace millrace::nn;

/// A recorded layer, its memory by operand, and the operations done on it.
class RecordedLayer {
 public:
  explicit RecordedLayer(const nlohmann::json& record) : record_(record) {
    nlohmann::json layer = record["layer"];
    layer["name"] = "layer";
    const nlohmann::json json{
        {"name", "m"}, {"input", record["shape"]}, {"layers", nlohmann::json::array({layer})}};
    model_ = model_from_json(json.dump());
    shape_ = infer_shapes(model_).front();
    samples_ = static_cast<std::int64_t>(record["x"].size()) / model_.input.elements();
    put(operand::x, "x"), put(operand::dy, "dy");
    make(operand::y, record["y"].size()), make(operand::dx, record["x"].size());
    for (const ParameterShape& parameter : shape_.parameters) {
      values_.emplace_back(operand::parameter(parameter.role),
                           test::list<double>(record["parameters"].at(parameter.suffix)));
      make(operand::gradient(parameter.role), values_.back().second.size());
    }
    for (std::size_t i = 0; i < shape_.saved.size(); ++i) {
      const SavedShape& saved = shape_.saved[i];
      make(operand::saved(static_cast<int>(i)),
           static_cast<std::size_t>(saved.shape.elements() * (saved.is_of_sample ? samples_ : 1)));
    }
  }

  void check() {
    const LayerKind& kind = model_.layers.front().kind;
    std::vector<Operand> forward{operand::x, operand::y};
    std::vector<Operand> gradients;
    for (const ParameterShape& parameter : shape_.parameters) {
      forward.push_back(operand::parameter(parameter.role));
      gradients.push_back(operand::gradient(parameter.role));
    }
    for (std::size_t i = 0; i < shape_.saved.size(); ++i) {
      forward.push_back(operand::saved(static_cast<int>(i)));
    }
    kind->forward(call(forward));
    check_close(operand::y, record_["y"]);

    const Derivative derivative = kind->derivative(true);
    std::vector<Operand> data{operand::dy, operand::dx};
    data.insert(data.end(), derivative.data.begin(), derivative.data.end());
    if (derivative.at_once) data.insert(data.end(), gradients.begin(), gradients.end());
    kind->backward(call(data));
    if (!derivative.parameters.empty()) {
      gradients.push_back(operand::dy);
      gradients.insert(gradients.end(), derivative.parameters.begin(), derivative.parameters.end());
      kind->backward(call(gradients));
    }
    check_close(operand::dx, record_["dx"]);
    for (const ParameterShape& parameter : shape_.parameters) {
      check_close(operand::gradient(parameter.role), record_["gradients"].at(parameter.suffix));
    }
  }

 private:
  void put(const Operand& operand, const char* name) {
    values_.emplace_back(operand, test::list<double>(record_[name]));
  }
  void make(const Operand& operand, std::size_t count) {
    values_.emplace_back(operand, std::vector<double>(count, -1e9));
  }
  std::vector<double>& at(const Operand& operand) {
    for (auto& [name, values] : values_) {
      if (name == operand) return values;
    }
    throw std::logic_error("no such operand");
  }
  reference::Call call(const std::vector<Operand>& operands) {
    reference::Call call{.samples = samples_, .inputs = {model_.input}, .output = shape_.output};
    for (const Operand& operand : operands) call.operands.push_back({operand, at(operand)});
    return call;
  }
  void check_close(const Operand& operand, const nlohmann::json& expected) {
    const auto want = test::list<double>(expected);
    const std::vector<double>& got = at(operand);
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      INFO("operand " << static_cast<int>(operand.of) << ", element " << i);
      CHECK(got[i] == Approx(want[i]).epsilon(1e-9).margin(1e-12));
    }
  }

  const nlohmann::json& record_;
  Model model_;
  LayerShape shape_;
  std::int64_t samples_ = 0;
  std::vector<std::pair<Operand, std::vector<double>>> values_;
};

TEST_CASE("Layers make what PyTorch makes of the same numbers, and the same gradients") {
  for (const auto& record : test::recorded("layers.json")) {
    DYNAMIC_SECTION(record["layer"].dump() << " of " << record["shape"].dump()) {
      RecordedLayer(record).check();
    }
  }
}

TEST_CASE("Every elementwise kind has been recorded from PyTorch") {
  std::set<std::string> recorded;
  for (const auto& record : test::recorded("layers.json")) {
    recorded.insert(record["layer"]["kind"].get<std::string>());
  }
#define MILLRACE_CHECK_RECORDED(Kind) CHECK(recorded.contains(Kind::kFacts.name));
  MILLRACE_ELEMENTWISE_KINDS(MILLRACE_CHECK_RECORDED)
}

}  // namespace
