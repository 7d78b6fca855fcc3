#pragma once
// A model: a graph of layers, the preprocessing of its input and the names of its classes,
// independent of any device. A model is made by ModelBuilder, by the zoo (zoo.h) or from
// JSON (model_json.h), and turned into operations by graph.h. It holds no weights. The kinds of
// layers are in layers/, one file each; layers/kinds.h has them all.

#include <millrace/core/colour.h>
#include <millrace/core/shape.h>
#include <millrace/core/table_form.h>
#include <millrace/nn/layers/layer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

/// How a kernel or a bias starts. `torch` is PyTorch's default of Linear and Conv2d:
/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for kernel and bias. The others are Keras's; a bias then
/// starts at zero.
enum class Initializer {
  glorot_uniform,
  glorot_normal,
  he_uniform,
  he_normal,
  lecun_uniform,
  lecun_normal,
  torch,
  zeros
};

[[nodiscard]] const char* to_string(Initializer initializer) noexcept;
/// Throws UsageError that lists the names.
[[nodiscard]] Initializer initializer_named(std::string_view name);

/// The name of the model's input in Layer::inputs. A layer with that name cannot be another's input
/// by name.
inline constexpr std::string_view kModelInput = "input";

struct Layer {
  std::string name;  ///< unique in the model; parameters are "<name>.weight", "<name>.bias", ...
  LayerKind kind;
  /// The earlier layers, by name, whose outputs it takes. None: the previous one, or the
  /// model's input.
  std::vector<std::string> inputs{};
  Initializer initializer = Initializer::glorot_uniform;
  bool trainable = true;  ///< false: frozen; batch norm uses running statistics, dropout is off

  friend bool operator==(const Layer&, const Layer&) = default;
};

/// The order of the channels of a model's input, which its weights fix.
enum class ChannelOrder { rgb, bgr };

/// How pixels become the input of the model: turned as EXIF's orientation says, put on `background`
/// if they are transparent, resized with `filter` to the model's height and width, put in
/// `order`, then x = pixel * scale, in this order (ImageDataGenerator's):
///   samplewise_center     x -= mean of the whole sample
///   samplewise_deviation  x /= population deviation of the whole sample + 1e-6
///   mean, deviation       x = (x - mean[c]) / deviation[c], by channel of `order`
///   whiten                x = x W, the sample as one row (ZCA)
/// Columns of a table are not pixels: by default they are taken unchanged, scale 1.
/// Functions about it are in preprocessing.h.
struct Preprocessing {
  std::string filter = "bilinear";  ///< a filter of image/filter.h
  float scale = 1.0F / 255.0F;
  std::vector<float> mean{};       ///< one a channel, or empty: 0
  std::vector<float> deviation{};  ///< one a channel, or empty: 1
  ChannelOrder order = ChannelOrder::rgb;
  bool samplewise_center = false, samplewise_deviation = false;
  bool whiten = false;
  /// W, [F][F] for samples of F elements, symmetric; with `whiten`. Too large for JSON: weight
  /// files hold it beside the weights. Null until it is fitted or loaded. Compared by identity.
  std::shared_ptr<const std::vector<float>> whitening{};
  bool exif_orientation = false;       ///< false: as stored, except TIFF, which is always turned
  std::optional<Colour> background{};  ///< none: transparency is dropped

  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// A model. Plain data; validate() (called by the builder and by readers) checks it.
struct Model {
  std::string name;
  Shape input;  ///< of one sample: {height, width, channels} or {features}
  std::vector<Layer> layers;
  Preprocessing preprocessing;
  std::vector<std::string> classes;  ///< in the order of the labels; may be empty
  /// Of each output what it is, where they are numbers or several labels (Dataset::targets), and
  /// then there are no classes; else empty.
  std::vector<std::string> targets{};
  TableForm table{};  ///< of what it learnt from; says nothing of other data

  friend bool operator==(const Model&, const Model&) = default;
};

/// A parameter (or running statistic) of a model and its place in the flat arenas.
struct Parameter {
  std::string name;  ///< PyTorch's names: weight, bias, running_mean, running_var
  /// Dense [out][in], convolution [out][in / groups][rows][columns], others [C].
  Shape shape;
  Role role = Role::kernel;
  int layer = 0;                         ///< index into Model::layers
  std::int64_t offset = 0;               ///< elements from the start of the arena
  std::int64_t fan_in = 0, fan_out = 0;  ///< of the layer's kernel; 0 for batch norm
  float first = 0;                       ///< its first value; see ParameterShape
  std::int64_t groups = 1;               ///< likewise
  bool trainable = true;
};

/// For each layer the places in Model::layers of its inputs, -1 for the model's
/// input. Throws Error that names the layer if an input is not a layer before it.
[[nodiscard]] std::vector<std::vector<int>> input_layers(const Model& model);

/// One LayerShape a layer. Throws Error naming the layer if shapes do not fit ("layer 3 'conv2':
/// a 3x3 window does not fit into 2x2").
[[nodiscard]] std::vector<LayerShape> infer_shapes(const Model& model);

/// The shapes of each layer's inputs, of one sample.
[[nodiscard]] std::vector<std::vector<Shape>> input_shapes(const Model& model,
                                                           const std::vector<LayerShape>& layers);

/// A layer in a summary table.
struct LayerSummary {
  Shape output;                 ///< of one sample
  std::int64_t parameters = 0;  ///< elements, running statistics included
  std::int64_t trainable_parameters = 0;
  std::int64_t flops = 0;  ///< forward, one sample, only dense and convolution kernels;
                           ///< a multiply-add counts as two
};

/// One entry a layer. Throws as infer_shapes().
[[nodiscard]] std::vector<LayerSummary> summarize(const Model& model);
/// Whether a training step normalises by statistics of its batch: then batches that are accumulated
/// are not one large batch.
[[nodiscard]] bool has_batch_statistics(const Model& model) noexcept;

/// All parameters: trainable ones first, in the order of the layers, then the others, so that
/// gradients and optimizer state are arenas of trainable_elements(). Each starts at a multiple of
/// 16 elements (64 bytes); gaps are zero.
[[nodiscard]] std::vector<Parameter> parameters(const Model& model);
[[nodiscard]] std::int64_t arena_elements(const std::vector<Parameter>& parameters);
[[nodiscard]] std::int64_t trainable_elements(const std::vector<Parameter>& parameters);

/// Throws Error unless names are unique, every layer but the last is an input of another, shapes
/// fit, and preprocessing and classes match: see check_preprocessing(); classes are empty or one an
/// output (two for one output), columns of a table empty or one an element of the input.
void validate(const Model& model);

/// Keras's summary(): a table of layers, output shapes and parameters, with FLOPs.
[[nodiscard]] std::string summary_table(const Model& model);

struct AvgPool2D;
struct BatchNorm;
struct Conv2D;
struct MaxPool2D;

/// Builds a model layer by layer, each after the last:
///   Model m = ModelBuilder("mlp", {28, 28, 1}).flatten().dense(500).relu().dense(10).build();
/// Branches have the same input, and the next layer takes all their outputs:
///   const auto wide = [](ModelBuilder& b) { b.conv(8, 1); };
///   const auto deep = [](ModelBuilder& b) { b.conv(8, 1).relu().conv(8, 3, Padding::same); };
///   builder.branches({wide, deep}).concat();
class ModelBuilder {
 public:
  ModelBuilder(std::string name, Shape input);
  ModelBuilder& dense(std::int64_t units, bool bias = true);
  ModelBuilder& conv(std::int64_t filters, std::int64_t size = 3, Padding padding = Padding::valid,
                     Pair stride = 1, bool bias = true);
  ModelBuilder& conv(const Conv2D& options);
  /// One filter for each channel of the last layer, which reads only that channel. Throws Error if
  /// its output is not an image.
  ModelBuilder& depthwise_conv(std::int64_t size = 3, Padding padding = Padding::valid,
                               Pair stride = 1, bool bias = true);
  ModelBuilder& max_pool(Pair size = 2, Pair stride = 0);  ///< stride 0: size
  ModelBuilder& max_pool(const MaxPool2D& options);
  ModelBuilder& avg_pool(Pair size = 2, Pair stride = 0);
  ModelBuilder& avg_pool(const AvgPool2D& options);
  ModelBuilder& global_avg_pool();
  ModelBuilder& adaptive_avg_pool(std::int64_t rows, std::int64_t columns);
  ModelBuilder& flatten();
  ModelBuilder& relu();
  ModelBuilder& leaky_relu(float negative_slope = 0.01F);
  ModelBuilder& relu6();
  ModelBuilder& silu();
  ModelBuilder& gelu();
  ModelBuilder& hard_swish();
  ModelBuilder& hard_sigmoid();
  ModelBuilder& sigmoid();
  ModelBuilder& tanh();
  ModelBuilder& softmax();
  ModelBuilder& dropout(float rate);
  ModelBuilder& batch_norm();
  ModelBuilder& batch_norm(const BatchNorm& options);
  ModelBuilder& layer_norm(float epsilon = 1e-5F);
  ModelBuilder& scale(float first = 1);
  ModelBuilder& stochastic_depth(float rate);
  ModelBuilder& zero_padding(std::uint32_t top, std::uint32_t bottom, std::uint32_t left,
                             std::uint32_t right);
  ModelBuilder& upsample(std::int64_t rows = 2, std::int64_t columns = 2);
  ModelBuilder& add(LayerKind kind);
  using Branch = std::function<void(ModelBuilder&)>;
  /// A branch without layers passes its input on.
  ModelBuilder& branches(const std::vector<Branch>& branches);
  ModelBuilder& add();       ///< the sum of the branches
  ModelBuilder& concat();    ///< their channels side by side
  ModelBuilder& multiply();  ///< their product: of two of one shape, or of an image and [channels]
  /// x + branch(x), and shortcut(x) + branch(x).
  ModelBuilder& residual(const Branch& branch);
  ModelBuilder& residual(const Branch& branch, const Branch& shortcut);
  ModelBuilder& inputs(std::vector<std::string> names);  ///< of the last layer; see Layer::inputs
  ModelBuilder& named(std::string name);               ///< names the last layer ("conv1" otherwise)
  ModelBuilder& initializer(Initializer initializer);  ///< of all kernels from here on
  ModelBuilder& preprocessing(Preprocessing preprocessing);
  ModelBuilder& classes(std::vector<std::string> names);
  [[nodiscard]] Model build() const;  ///< validates

 private:
  /// The only end; throws Error if there are several.
  [[nodiscard]] std::string end() const;
  [[nodiscard]] Shape shape_of_end() const;

  Model model_;
  std::vector<std::string> ends_;  ///< what the next layer takes; empty: the last layer
  Initializer initializer_ = Initializer::glorot_uniform;
};

}  // namespace millrace::nn
