#pragma once
// The members of every kind of layer. A kind is a plain struct of its options, in its own file
// beside this one, with:
//   static constexpr LayerFacts kFacts          its names, and facts about the kind in general
//   void list(FieldList&)                       its options, once; optional if there are none
//   LayerShape infer(const LayerInput&) const   shapes, parameters and cost; throws Error
//   Derivative derivative(bool) const           what its backward pass reads
//   bool is_identity(bool training) const       then it is left out of the graph; optional: never
//   template <class Real>
//   void forward(const reference::BasicCall<Real>&) const
//                                               the loops; so backward(), once for each operation
//                                               of the backward pass
//   operator==
// A kind whose loops are only for float64 (reference::Call) cannot be run by the CPU engine, which
// runs unknown kinds by their loops for float32.
// LayerKind holds one of any kind. Const members are thread-safe: they read only the options and
// their arguments. docs/adding-a-layer.md walks through a kind.

#include <millrace/core/error.h>
#include <millrace/core/shape.h>
#include <millrace/nn/layers/operand.h>
#include <millrace/nn/reference/call.h>
#include <millrace/nn/window.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::nn {

struct LayerFacts {
  const char* name;          ///< "max_pool2d": in JSON files and tables
  const char* stem;          ///< "max_pool": layers that nobody named are max_pool1, max_pool2
  bool has_kernel = false;   ///< parameters that an Initializer fills
  bool keeps_order = false;  ///< an element comes from the same place of the input, or its channel
  bool mixes_rows = false;   ///< in training a row of the output depends on all rows of the batch
  int least_inputs = 1, most_inputs = 1;
};
inline constexpr int kAnyNumber = 1 << 20;  ///< of inputs

struct ParameterShape {
  const char* suffix;  ///< PyTorch's word: "weight", "bias", "running_mean", "running_var"
  Role role;
  Shape shape;
  float first = 0;  ///< what it begins with; kernels, and biases of Initializer::torch, are random
  /// A kernel's: rows of it that belong to one group read the channels of that group alone.
  std::int64_t groups = 1;
};

/// What forward keeps for backward. Engines choose its type and size; the reference engine's is
/// this.
struct SavedShape {
  const char* suffix;  ///< "indices": of the value's name
  Shape shape;         ///< of one sample, or of the whole batch
  bool is_of_sample = true;
};

/// What a layer makes of its input. Shapes are of one sample.
struct LayerShape {
  Shape output;
  std::vector<ParameterShape> parameters{};
  std::vector<SavedShape> saved{};
  std::int64_t fan_in = 0, fan_out = 0;  ///< of the kernel
  std::int64_t flops = 0;                ///< forward; a multiply-add counts as two
};

/// What a backward pass reads beside dy, and where gradients of parameters are made.
struct Derivative {
  std::vector<Operand> data{};        ///< read by the operation that makes dx
  std::vector<Operand> parameters{};  ///< read by the one that makes gradients of parameters
  bool at_once = false;               ///< one operation makes both
  bool passes_on = false;             ///< dy is the gradient of each input: there is no operation
};

/// The inputs of a layer, for infer(): with checks whose errors name the layer.
class LayerInput {
 public:
  /// Throws Error if the kind takes another number of inputs.
  LayerInput(std::size_t index, std::string_view layer, const LayerFacts& facts,
             std::vector<Shape> shapes);

  /// Of the only input, or the first.
  [[nodiscard]] const Shape& shape() const { return shapes_.front(); }
  [[nodiscard]] const std::vector<Shape>& shapes() const { return shapes_; }
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) throw Error(concat("layer ", index_, " '", layer_, "': ", parts...));
  }
  void require_image() const;
  /// The value, which must be positive and below 2^31.
  std::int64_t positive(const char* what, std::int64_t value) const;
  /// The product, which must be below 2^31: libraries index with 32 bits, and models come from
  /// files that nobody has checked.
  std::int64_t product(std::initializer_list<std::int64_t> extents) const;
  /// The pair, of which both must be so; likewise what pads an image.
  void check(const char* what, const Pair& pair) const;
  void check(const Padding& padding) const;
  /// What a window makes of the image: {height, width, channels}.
  [[nodiscard]] Shape slide(const SlidingWindow& window, std::int64_t channels) const;
  /// The same for a window of which every position must lie over a pixel of the image.
  [[nodiscard]] Shape pool(const SlidingWindow& window) const;

 private:
  std::size_t index_;
  std::string_view layer_, kind_;
  std::vector<Shape> shapes_;
};

/// Reads or sets a kind's options: JSON's reader and writer, the text of messages. An optional one
/// that is absent keeps its value.
class FieldList {
 public:
  /// A std::int64_t is positive; a std::uint32_t may be 0.
  using Field = std::variant<bool*, std::int64_t*, float*, Padding*, Pair*, std::uint32_t*>;

  virtual ~FieldList() = default;
  void required(const char* name, Field value) { field(name, value, true); }
  void optional(const char* name, Field value) { field(name, value, false); }
  /// An optional one that is written only if it differs from the usual value.
  template <class T>
  void seldom(const char* name, T* value, const T& usual) {
    if (!leaves_out_usual() || !(*value == usual)) field(name, value, false);
  }

 protected:
  /// Whether this reads options from the kind, and does not set them.
  [[nodiscard]] virtual bool leaves_out_usual() const { return false; }
  virtual void field(const char* name, Field value, bool is_required) = 0;
};

/// A kind of layer with its options: a value, of which copies share what never changes. All but the
/// default one is of a kind; asking that one for anything but get_if() and == is a logic_error.
class LayerKind {
 public:
  /// The members that a kind has.
  struct Rule {
    virtual ~Rule() = default;
    [[nodiscard]] virtual const LayerFacts& facts() const = 0;
    [[nodiscard]] virtual std::shared_ptr<Rule> copy() const = 0;
    virtual void list(FieldList& fields) = 0;
    [[nodiscard]] virtual LayerShape infer(const LayerInput& input) const = 0;
    /// `trains`: the layer's parameters are trained.
    [[nodiscard]] virtual Derivative derivative(bool trains) const = 0;
    [[nodiscard]] virtual bool is_identity(bool training) const = 0;
    virtual void forward(const reference::Call& call) const = 0;
    virtual void backward(const reference::Call& call) const = 0;
    /// Whether the kind has its loops for float32 too: then the CPU engine runs them where it does
    /// not know the kind.
    [[nodiscard]] virtual bool has_float_loops() const = 0;
    virtual void forward(const reference::FloatCall& call) const = 0;
    virtual void backward(const reference::FloatCall& call) const = 0;
    [[nodiscard]] virtual bool equals(const Rule& other) const = 0;
  };

  LayerKind() = default;  ///< none: for what is filled in later
  template <class Kind>
  requires requires { Kind::kFacts; }
  LayerKind(Kind kind)  // NOLINT(google-explicit-constructor): a kind is a LayerKind
      : rule_(std::make_shared<const Held<Kind>>(std::move(kind))) {}

  template <class Kind>
  [[nodiscard]] const Kind* get_if() const noexcept {
    const auto* held = dynamic_cast<const Held<Kind>*>(rule_.get());
    return held == nullptr ? nullptr : &held->kind;
  }
  template <class Kind>
  [[nodiscard]] bool is() const noexcept {
    return get_if<Kind>() != nullptr;
  }

  [[nodiscard]] const LayerFacts& facts() const { return rule().facts(); }
  void list(FieldList& fields);        ///< which may set options
  void list(FieldList& fields) const;  ///< which may not
  const Rule* operator->() const { return &rule(); }

  friend bool operator==(const LayerKind& a, const LayerKind& b) {
    return a.rule_ == b.rule_ || (a.rule_ && b.rule_ && a.rule_->equals(*b.rule_));
  }

 private:
  template <class Kind>
  struct Held final : Rule {
    explicit Held(Kind k) : kind(std::move(k)) {}
    [[nodiscard]] const LayerFacts& facts() const override { return Kind::kFacts; }
    [[nodiscard]] std::shared_ptr<Rule> copy() const override {
      return std::make_shared<Held>(kind);
    }
    void list(FieldList& fields) override {
      if constexpr (!std::is_empty_v<Kind>) kind.list(fields);
    }
    [[nodiscard]] LayerShape infer(const LayerInput& input) const override {
      return kind.infer(input);
    }
    [[nodiscard]] Derivative derivative(bool trains) const override {
      return kind.derivative(trains);
    }
    [[nodiscard]] bool is_identity(bool training) const override {
      if constexpr (requires { kind.is_identity(training); }) return kind.is_identity(training);
      return false;
    }
    void forward(const reference::Call& call) const override { kind.forward(call); }
    void backward(const reference::Call& call) const override { kind.backward(call); }
    static constexpr bool kHasFloatLoops = requires(const Kind& k, const reference::FloatCall& c) {
      k.forward(c);
      k.backward(c);
    };
    [[nodiscard]] bool has_float_loops() const override { return kHasFloatLoops; }
    void forward(const reference::FloatCall& call) const override {
      if constexpr (kHasFloatLoops) kind.forward(call);
    }
    void backward(const reference::FloatCall& call) const override {
      if constexpr (kHasFloatLoops) kind.backward(call);
    }
    [[nodiscard]] bool equals(const Rule& other) const override {
      const auto* same = dynamic_cast<const Held*>(&other);
      return same != nullptr && same->kind == kind;
    }
    Kind kind;
  };
  [[nodiscard]] const Rule& rule() const {
    MILLRACE_CHECK(rule_ != nullptr, "a layer of no kind");
    return *rule_;
  }

  std::shared_ptr<const Rule> rule_;
};

/// "dense", "conv2d", "max_pool2d", ...
[[nodiscard]] inline const char* kind_name(const LayerKind& kind) {
  return kind.facts().name;
}
/// A kind and its options as text: "conv2d(filters 16, rows 3, columns 3, stride 1, padding same,
/// bias true)".
[[nodiscard]] std::string to_string(const LayerKind& kind);

}  // namespace millrace::nn
