#include "catch.h"

#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/model_json.h>
#include <millrace/training/saved_model.h>

using namespace millrace;

namespace {

std::filesystem::path scratch(const char* name) {
  const std::filesystem::path folder = std::filesystem::path(MILLRACE_SCRATCH) / "saved_model_test";
  std::filesystem::create_directories(folder);
  return folder / name;
}

nn::Model small_model() {
  return nn::ModelBuilder("small", {6, 6, 3})
      .conv(4)
      .relu()
      .batch_norm()
      .flatten()
      .dense(3)
      .softmax()
      .preprocessing({.filter = "lanczos", .scale = 0.5F, .mean = {1, 2, 3}})
      .classes({"a", "b", "ü"})
      .build();
}

std::vector<float> weights_of(const nn::Model& model) {
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 3, weights);
  return weights;
}

}  // namespace

TEST_CASE("a saved model comes back with weights, preprocessing and classes") {
  const nn::Model model = small_model();
  const std::vector<float> weights = weights_of(model);
  save_model(scratch("model.safetensors"), model, weights);
  const SavedModel saved = load_model(scratch("model.safetensors"));
  CHECK(nn::to_json(saved.model) == nn::to_json(model));
  CHECK(saved.parameters == weights);
}

TEST_CASE("the whitening matrix is saved beside the weights, and missed where it should be") {
  nn::Model model = small_model();
  const std::vector<float> weights = weights_of(model);
  model.preprocessing.whiten = true;
  CHECK_THROWS_WITH(save_model(scratch("unfitted.safetensors"), model, weights),
                    Catch::Contains("was never fitted"));
  std::vector<float> matrix(108 * 108);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<float>(i);
  model.preprocessing.whitening = std::make_shared<const std::vector<float>>(matrix);
  save_model(scratch("whitened.safetensors"), model, weights);
  const SavedModel saved = load_model(scratch("whitened.safetensors"));
  CHECK(saved.parameters == weights);
  CHECK(nn::to_json(saved.model) == nn::to_json(model));
  REQUIRE(saved.model.preprocessing.whitening != nullptr);
  CHECK(*saved.model.preprocessing.whitening == matrix);

  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(weights).subspan(static_cast<std::size_t>(p.offset),
                                                  static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(scratch("lacking.safetensors"), tensors,
                    {{"millrace.model", nn::to_json(model)}});
  CHECK_THROWS_WITH(load_model(scratch("lacking.safetensors")),
                    Catch::Contains("tensor 'preprocessing.whitening' is missing"));
  tensors.push_back({"preprocessing.whitening", {108}, std::span(matrix).first(108)});
  write_safetensors(scratch("lacking.safetensors"), tensors,
                    {{"millrace.model", nn::to_json(model)}});
  CHECK_THROWS_WITH(load_model(scratch("lacking.safetensors")),
                    Catch::Contains("'preprocessing.whitening' is 108, the model needs 108x108"));
}

TEST_CASE("a file that is not there, not safetensors or without a model is named") {
  CHECK_THROWS_WITH(load_model(scratch("none.safetensors")), Catch::Contains("none.safetensors"));
  const std::vector<float> values = {1, 2};
  const NamedTensor tensor{"x", {2}, values};
  write_safetensors(scratch("foreign.safetensors"), {&tensor, 1});
  CHECK_THROWS_WITH(load_model(scratch("foreign.safetensors")),
                    Catch::Contains("foreign.safetensors: holds weights but no model of Millrace"));
}

TEST_CASE("tensors that do not fit the model are named") {
  const nn::Model model = small_model();
  const std::vector<float> values(3);
  const auto write = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(scratch("other.safetensors"), tensors,
                      {{"millrace.model", nn::to_json(model)}});
  };
  write({});
  CHECK_THROWS_WITH(load_model(scratch("other.safetensors")), Catch::Contains("is missing"));
  std::vector<NamedTensor> tensors;
  const std::vector<float> weights = weights_of(model);
  for (const nn::Parameter& p : nn::parameters(model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(weights).subspan(static_cast<std::size_t>(p.offset),
                                                  static_cast<std::size_t>(p.shape.elements()))});
  }
  tensors.push_back({"extra", {3}, values});
  write(tensors);
  CHECK_THROWS_WITH(load_model(scratch("other.safetensors")),
                    Catch::Contains("the model has no tensor 'extra'"));
  tensors.pop_back();
  tensors.back().shape = {static_cast<std::int64_t>(tensors.back().values.size()), 1};
  write(tensors);
  CHECK_THROWS_WITH(load_model(scratch("other.safetensors")), Catch::Contains("the model needs"));
}
