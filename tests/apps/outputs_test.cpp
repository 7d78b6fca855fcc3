// Models whose outputs cannot be classes: refused before a run, by the name of the layer, in train,
// evaluate and predict.

#include "apps/known_model.h"
#include "apps/train_run.h"

using namespace millrace;
using namespace millrace::test;

namespace {

namespace fs = std::filesystem;

/// A model on 4x4x3 without weights of its own, of the layers that `build` adds.
template <class Build>
nn::Model model_of(Build build) {
  nn::ModelBuilder builder("m", {4, 4, 3});
  build(builder);
  return builder.build();
}

nn::Model softmax_of_one() {
  return model_of([](auto& b) { b.flatten().dense(1).named("d").softmax().named("sure"); });
}
nn::Model linear_autoencoder() {
  return model_of([](auto& b) { b.flatten().dense(2).dense(48).named("pixels"); });
}
nn::Model autoencoder() {
  return model_of([](auto& b) { b.flatten().dense(2).dense(48).sigmoid().named("pixels"); });
}
nn::Model several_sigmoids() {
  return model_of([](auto& b) { b.flatten().dense(3).sigmoid().named("labels"); });
}
nn::Model hidden_softmax() {
  return model_of([](auto& b) { b.flatten().dense(3).softmax().named("s").dropout(0.5F); });
}
nn::Model image_of_classes() {
  return model_of([](auto& b) { b.conv(3).named("grid"); });  // 2x2x3
}

std::string saved(const Scratch& scratch, const nn::Model& model) {
  const auto elements = nn::arena_elements(nn::parameters(model));
  save_model(scratch / "m.safetensors", model,
             std::vector<float>(static_cast<std::size_t>(elements)));
  return (scratch / "m.safetensors").string();
}

}  // namespace

TEST_CASE("outputs that cannot be classes are refused by the layer's name, whatever the command") {
  const Scratch scratch;
  const std::string two = write_classes(scratch / "two", {"a", "b"}, 4, 4).string();
  const std::string three = write_classes(scratch / "three", {"a", "b", "c"}, 4, 4).string();
  struct Case {
    nn::Model model;
    std::string data, message;
  };
  const std::vector<Case> cases = {
      {softmax_of_one(), two, "the softmax 'sure' has one output, which is 1 for every sample"},
      {linear_autoencoder(), three, "the layer 'pixels' gives 48 numbers, as many as the input"},
      {autoencoder(), three, "the layer 'pixels' gives 48 numbers, as many as the input"},
      {several_sigmoids(), three, "the sigmoid 'labels' has 3 outputs"},
      {hidden_softmax(), three, "the layer 'dropout1' after the softmax 's'"},
      {image_of_classes(), three, "the layer 'grid' gives 2x2x3, an image"},
  };
  for (const Case& c : cases) {
    const std::string model = saved(scratch, c.model);
    const std::string image = c.data + "/a/0.png";
    check_refused({"train", c.data, "--model", model, "--run-dir", (scratch / "run").string()}, 2,
                  model + ": " + c.message);
    CHECK_FALSE(fs::exists(scratch / "run"));
    check_refused({"evaluate", model, c.data}, 1, model + ": " + c.message);
    check_refused({"predict", model, image}, 1, model + ": " + c.message);
  }
}

TEST_CASE("more or fewer outputs than classes are refused by the layer that gives them") {
  const Scratch scratch;
  const std::string three = write_classes(scratch / "three", {"a", "b", "c"}, 4, 4).string();
  for (const std::int64_t outputs : {1, 2, 5}) {
    const std::string model = saved(scratch, model_of([&](auto& b) {
                                      b.flatten().dense(outputs).named("last");
                                      outputs == 1 ? b.sigmoid() : b.softmax();
                                    }));
    check_refused({"train", three, "--model", model, "--run-dir", (scratch / "run").string()}, 2,
                  concat("the model has ", outputs, outputs == 1 ? " output" : " outputs",
                         ", the data 3 classes; it is the layer 'last' that gives them"));
    if (outputs > 3) continue;
    check_refused({"evaluate", model, three}, 1, "it is the layer 'last' that gives them");
  }
}

TEST_CASE("a model of one's own that learns its input must end in a sigmoid") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "two", {"a", "b"}, 4, 4);
  const Arguments input{"--class-mode", "input", "--model", (scratch / "m.safetensors").string()};
  Arguments refused{"train", data.string(), "--run-dir", (scratch / "run").string()};
  refused.insert(refused.end(), input.begin(), input.end());
  saved(scratch, linear_autoencoder());
  check_refused(refused, 2, "needs a model that ends in a sigmoid");
  check_refused(refused, 2, "this one ends in 'pixels', dense");
  saved(scratch, model_of([](auto& b) { b.flatten().dense(48).softmax().named("sum"); }));
  check_refused(refused, 2, "this one ends in 'sum', softmax");
  saved(scratch, autoencoder());
  trained(data, scratch / "run", input);
}

TEST_CASE("outputs that are classes are taken, with one, with a softmax and with logits") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "two", {"a", "b"}, 4, 4);
  const auto trains = [&](const nn::Model& model) {
    trained(data, scratch / "run",
            {"--model", saved(scratch, model), "--epochs", "1", "--overwrite"});
    CHECK(run({"evaluate", (scratch / "run").string(), data.string()}).status == 0);
    CHECK(run({"predict", (scratch / "run").string(), (data / "a/0.png").string()}).status == 0);
  };
  trains(model_of([](auto& b) { b.flatten().dense(1).sigmoid(); }));
  trains(model_of([](auto& b) { b.flatten().dense(1); }));
  trains(model_of([](auto& b) { b.flatten().dense(2).softmax(); }));
  trains(model_of([](auto& b) { b.conv(2).global_avg_pool(); }));
}
