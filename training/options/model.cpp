#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/options/options.h>

namespace millrace {
namespace {

/// A run directory as model brings its weights: it may be anything that is no model of the zoo.
bool has_weights(const ModelSpec& o) {
  std::error_code ignored;
  return !o.weights.empty() || std::filesystem::is_directory(o.name, ignored);
}

}  // namespace

void list_model(OptionList& options, ModelSpec& o) {
  options.topic("model", "Model");
  options("model", o.name, "SPEC",
          "mlp:500,100  cnn  cnn:16,32:64  resnet18  resnet34  resnet50  mobilenet_v2  "
          "mobilenet_v2:0.5  mobilenet_v3_small  mobilenet_v3_large  efficientnet_b0  "
          "efficientnet_lite0  squeezenet1_1  convnext_tiny  vgg11 to vgg19, also with _bn; a JSON "
          "or model file (what it describes, with new weights), or a run directory (with its "
          "weights)")
      .by_default("by the size of the input")
      .of_model();
  options("width", o.width, "X",
          "factor of the channels of a network that has it: --model mobilenet_v2 --width 0.5 is "
          "mobilenet_v2:0.5",
          above(0))
      .needs("--model NAME of a network by name", [&o] { return nn::in_zoo(o.name); })
      .of_model();
  options("initializer", o.initializer, "NAME",
          "first values of new weights: glorot_uniform, glorot_normal, he_uniform, he_normal, "
          "lecun_uniform, "
          "lecun_normal, torch")
      .of_model();
  const auto weights = [&o] { return has_weights(o); };
  options.topic("transfer", "Transfer learning");
  options(
      "weights", o.weights, "FILE|RUN",
      "start with these weights: Keras's .h5 and .keras, PyTorch's .pth, safetensors of PyTorch "
      "or Millrace, a run directory; names, as vgg16, are what 'scripts/fetch-weights' lists and "
      "fetches")
      .of_model();
  list_ignored_layers(options, o.ignore_layers);
  list_flatten_order(options, o.flatten_order);
  for (const char* name : {"ignore-layers", "flatten-order"}) {
    options.find(name).option->of_model().needs("--weights FILE, whose layers it is about",
                                                weights);
  }
  options("head", o.head, "WORDS",
          "replace the model from its first flatten or global pooling on, as in "
          "gap,dense:1024:relu,dense; words: gap, flatten, dense:UNITS[:ACTIVATION], "
          "dropout:RATE, batch_norm, an activation (relu, sigmoid, tanh, ...), and dense at the "
          "end")
      .of_model();
  options("freeze", o.freeze, "PREFIX,...",
          "layers whose names begin with this keep their weights, as in features; they have no "
          "backward pass")
      .needs("weights that were trained before; give --weights FILE", weights)
      .of_model();
  options("unfreeze-at", o.unfreeze_at, "EPOCH",
          "train all layers from this epoch on (the first is 1), with a new optimizer; 0: never")
      .needs("frozen layers; give --freeze PREFIX", [&o] { return !o.freeze.empty(); });
  options("unfreeze-factor", o.unfreeze_factor, "X",
          "factor of the learning rate from that epoch on", above(0))
      .needs("--unfreeze-at EPOCH", [&o] { return o.unfreeze_at > 0; });
  options("cache-features", o.cache_features, "auto|no|memory|file",
          "compute what frozen layers make of the samples once, and keep it, so that a step costs "
          "the rest of the model alone: in memory, or in features.safetensors of the run; auto: in "
          "memory, if images are not augmented again in each epoch and the budget holds it");
  options("cache-precision", o.cache_precision, "fp32|fp16",
          "numbers that are kept: fp16 takes half of the space, and rounds to 11 bits")
      .needs("--cache-features auto, memory or file",
             [&o] { return o.cache_features != FeatureCache::no; });
}

void list_ignored_layers(OptionList& options, std::vector<std::string>& layers) {
  options(
      "ignore-layers", layers, "NAME,...",
      "layers or tensors of the weight file to leave out, although the model has no counterpart "
      "for them, as in normalization,p_re_lu");
}

void list_flatten_order(OptionList& options, std::optional<FlattenOrder>& order) {
  options("flatten-order", order, "NAME",
          "order of the inputs after a flatten in a file of PyTorch: channels_first (as PyTorch "
          "flattens images) or channels_last (as Millrace and Keras do)")
      .by_default("channels_first");
}

void list_request(OptionList& options, ModelRequest& o) {
  options.topic("weights", "Weights for a model by its name");
  options(
      "weights", o.model.weights, "FILE|RUN",
      "MODEL is a name such as vgg16, or a JSON file, and these are its weights: Keras's .h5 and "
      ".keras, PyTorch's .pth, safetensors of PyTorch or Millrace; names, as resnet18, are what "
      "'scripts/fetch-weights' lists and fetches");
  options("size", o.size, "N|HxW", "height and width of the model's input")
      .by_default("that of the file, else 224, else the one that the weights fit");
  options("preprocessing", o.preprocessing, "NAME",
          "that of a family of pretrained weights: caffe (Keras's VGG16), tf, torch, rescale")
      .by_default("that of the file, else rescale");
  list_ignored_layers(options, o.model.ignore_layers);
  list_flatten_order(options, o.model.flatten_order);
  for (const char* name : {"size", "preprocessing", "ignore-layers", "flatten-order"}) {
    options.find(name).option->needs("--weights FILE, which it is about",
                                     [&o] { return !o.model.weights.empty(); });
  }
}

void list_pruning(OptionList& options, PruningSpec& o) {
  const auto is_on = [&o] { return o.kind.has_value(); };
  const auto is_polynomial = [&o] { return o.kind == nn::PruneKind::polynomial; };
  constexpr const char* kOn = "--prune constant or --prune polynomial";
  options.topic("pruning", "Pruning of single weights by magnitude; docs/pruning.md");
  options("prune", o.kind, "NAME",
          "constant: to the final sparsity at once; polynomial: from the initial to the final "
          "one; none: no pruning, even if a recipe asks for it")
      .by_default("none");
  options("prune-initial-sparsity", o.initial_sparsity, "X",
          "share of weights that the first mask prunes", from_up_to(0, 1))
      .by_default("0")
      .needs("--prune polynomial", is_polynomial);
  options("prune-final-sparsity", o.final_sparsity, "X",
          "share of weights that the last mask prunes", from_up_to(0, 1))
      .by_default("0.5")
      .needs(kOn, is_on);
  options("prune-begin", o.begin, "STEP", "first mask after this many training steps")
      .by_default("0")
      .needs(kOn, is_on);
  options("prune-end", o.end, "STEP", "last mask after this many training steps")
      .by_default("polynomial: the end of the run, constant: none")
      .needs(kOn, is_on);
  options("prune-frequency", o.frequency, "N", "a new mask every N steps", at_least(1))
      .by_default("100")
      .needs(kOn, is_on);
  options("prune-power", o.power, "X", "exponent of the polynomial", above(0))
      .by_default("3")
      .needs("--prune polynomial", is_polynomial);
  options("prune-include", o.include, "PATTERN[,...]",
          "prune only kernels of these names: conv1, dense*, features.0.weight")
      .needs(kOn, is_on);
  options("prune-exclude", o.exclude, "PATTERN[,...]", "do not prune kernels of these names")
      .needs(kOn, is_on);
}

}  // namespace millrace
