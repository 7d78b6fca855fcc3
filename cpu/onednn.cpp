#include <millrace/cpu/onednn.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>

namespace millrace::cpu::onednn {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

// Scratch comes from the caller: one block for a whole step, instead of one an operation.
dnnl::primitive_attr attributes(bool relu = false) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (relu) {
    dnnl::post_ops after;
    after.append_eltwise(1.0F, algorithm::eltwise_relu, 0.0F, 0.0F);
    attr.set_post_ops(after);
  }
  return attr;
}

prop_kind forward_kind(Purpose purpose) {
  return purpose == Purpose::training ? prop_kind::forward_training : prop_kind::forward_inference;
}

// oneDNN reports "I have nothing for this" by an exception; that is an answer here, not an error.
template <class Make>
Found find(Make&& make) {
  try {
    return Kernel(make());
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return std::nullopt;
    throw Error(concat("oneDNN refuses an operation: ", error.what()));
  }
}

Layout bias_of(const Layout& weights, bool present) {
  return present ? layout({weights.dims()[0]}, Tag::a) : Layout();
}

struct Frame {
  Dims strides, low, high;
};

Frame frame(const Window& w) {
  return {{w.stride, w.stride}, {w.top, w.left}, {w.bottom, w.right}};
}

// Backward descriptors want a forward one as a hint. Its layouts do not matter for convolutions and
// inner products, so it is left free and can always be found.
dnnl::convolution_forward::primitive_desc convolution_hint(const dnnl::engine& engine,
                                                           const Convolution& shape) {
  const auto [strides, low, high] = frame(shape.window);
  return {{prop_kind::forward_training, algorithm::convolution_direct, any(shape.source),
           any(shape.weights), any(shape.destination), strides, low, high},
          engine};
}

dnnl::inner_product_forward::primitive_desc dense_hint(const dnnl::engine& engine,
                                                       const Dense& shape) {
  return {
      {prop_kind::forward_training, any(shape.source), any(shape.weights), any(shape.destination)},
      engine};
}

dnnl::pooling_forward::primitive_desc pooling_description(const dnnl::engine& engine,
                                                          const Pooling& shape, Purpose purpose) {
  const auto [strides, low, high] = frame(shape.window);
  const Dims kernel{shape.window.rows, shape.window.columns};
  return {{forward_kind(purpose), shape.algorithm, shape.source, shape.destination, strides, kernel,
           low, high},
          attributes(),
          engine};
}

dnnl::eltwise_forward::primitive_desc eltwise_description(const dnnl::engine& engine,
                                                          algorithm kind, const Layout& data) {
  return {{prop_kind::forward_training, kind, data}, attributes(), engine};
}

const auto kScaleAndShift =
    dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;

dnnl::batch_normalization_forward::primitive_desc batch_norm_description(const dnnl::engine& engine,
                                                                         const Layout& data,
                                                                         float epsilon,
                                                                         bool given_statistics) {
  if (given_statistics) {
    return {{prop_kind::forward_inference, data, epsilon,
             kScaleAndShift | dnnl::normalization_flags::use_global_stats},
            attributes(),
            engine};
  }
  return {{prop_kind::forward_training, data, epsilon, kScaleAndShift}, attributes(), engine};
}

}  // namespace

Layout layout(const Dims& dims, Tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

Layout any(const Layout& like) {
  return layout(like.dims(), Tag::any);
}

Layout Kernel::at(int argument) const {
  return description_.query_md(dnnl::query::exec_arg_md, argument);
}

bool Kernel::is_main_work() const {
  using Kind = dnnl::primitive::kind;
  constexpr std::array kMain{Kind::convolution, Kind::inner_product, Kind::matmul, Kind::pooling,
                             Kind::batch_normalization};
  return std::find(kMain.begin(), kMain.end(), description_.get_kind()) != kMain.end();
}

Found convolution_forward(const dnnl::engine& engine, const Convolution& shape, Purpose purpose,
                          bool relu) {
  return find([&] {
    const auto [strides, low, high] = frame(shape.window);
    // For inference Winograd wants transformed weights, which nothing else can read.
    const bool is_winograd = shape.algorithm == algorithm::convolution_winograd;
    const prop_kind kind = is_winograd ? prop_kind::forward_training : forward_kind(purpose);
    return dnnl::convolution_forward::primitive_desc(
        {kind, shape.algorithm, shape.source, shape.weights, bias_of(shape.weights, shape.bias),
         shape.destination, strides, low, high},
        attributes(relu), engine);
  });
}

Found convolution_backward_data(const dnnl::engine& engine, const Convolution& shape) {
  return find([&] {
    const auto [strides, low, high] = frame(shape.window);
    return dnnl::convolution_backward_data::primitive_desc(
        {shape.algorithm, shape.source, shape.weights, shape.destination, strides, low, high},
        attributes(), engine, convolution_hint(engine, shape));
  });
}

Found convolution_backward_weights(const dnnl::engine& engine, const Convolution& shape) {
  return find([&] {
    const auto [strides, low, high] = frame(shape.window);
    return dnnl::convolution_backward_weights::primitive_desc(
        {shape.algorithm, shape.source, shape.weights, bias_of(shape.weights, shape.bias),
         shape.destination, strides, low, high},
        attributes(), engine, convolution_hint(engine, shape));
  });
}

Found dense_forward(const dnnl::engine& engine, const Dense& shape, Purpose purpose, bool relu) {
  return find([&] {
    return dnnl::inner_product_forward::primitive_desc(
        {forward_kind(purpose), shape.source, shape.weights, bias_of(shape.weights, shape.bias),
         shape.destination},
        attributes(relu), engine);
  });
}

Found dense_backward_data(const dnnl::engine& engine, const Dense& shape) {
  return find([&] {
    return dnnl::inner_product_backward_data::primitive_desc(
        {shape.source, shape.weights, shape.destination}, attributes(), engine,
        dense_hint(engine, shape));
  });
}

Found dense_backward_weights(const dnnl::engine& engine, const Dense& shape) {
  return find([&] {
    return dnnl::inner_product_backward_weights::primitive_desc(
        {shape.source, shape.weights, bias_of(shape.weights, shape.bias), shape.destination},
        attributes(), engine, dense_hint(engine, shape));
  });
}

Found pooling_forward(const dnnl::engine& engine, const Pooling& shape, Purpose purpose) {
  return find([&] { return pooling_description(engine, shape, purpose); });
}

Found pooling_backward(const dnnl::engine& engine, const Pooling& shape) {
  return find([&] {
    const auto [strides, low, high] = frame(shape.window);
    const Dims kernel{shape.window.rows, shape.window.columns};
    return dnnl::pooling_backward::primitive_desc(
        {shape.algorithm, shape.source, shape.destination, strides, kernel, low, high},
        attributes(), engine, pooling_description(engine, shape, Purpose::training));
  });
}

Found eltwise_forward(const dnnl::engine& engine, algorithm kind, const Layout& data) {
  return find([&] { return eltwise_description(engine, kind, data); });
}

Found eltwise_backward(const dnnl::engine& engine, algorithm kind, const Layout& data) {
  return find([&] {
    return dnnl::eltwise_backward::primitive_desc({kind, data, data}, attributes(), engine,
                                                  eltwise_description(engine, kind, data));
  });
}

Found softmax_forward(const dnnl::engine& engine, const Layout& data) {
  return find([&] {
    return dnnl::softmax_forward::primitive_desc({prop_kind::forward_training, data, 1},
                                                 attributes(), engine);
  });
}

Found softmax_backward(const dnnl::engine& engine, const Layout& data) {
  return find([&] {
    const dnnl::softmax_forward::primitive_desc hint({prop_kind::forward_training, data, 1},
                                                     engine);
    return dnnl::softmax_backward::primitive_desc({data, data, 1}, attributes(), engine, hint);
  });
}

Found batch_norm_forward(const dnnl::engine& engine, const Layout& data, float epsilon,
                         bool given_statistics) {
  return find([&] { return batch_norm_description(engine, data, epsilon, given_statistics); });
}

Found batch_norm_backward(const dnnl::engine& engine, const Layout& data, float epsilon) {
  return find([&] {
    return dnnl::batch_normalization_backward::primitive_desc(
        {prop_kind::backward, data, data, epsilon, kScaleAndShift}, attributes(), engine,
        batch_norm_description(engine, data, epsilon, false));
  });
}

Found reorder(const dnnl::engine& engine, const Layout& from, const Layout& to) {
  return find(
      [&] { return dnnl::reorder::primitive_desc(engine, from, engine, to, attributes()); });
}

void copy(const dnnl::engine& engine, const Layout& from, const void* source, const Layout& to,
          void* destination) {
  // oneDNN's memory has no const form; a reorder only reads its source.
  dnnl::memory in(from, engine, const_cast<void*>(source));
  dnnl::memory out(to, engine, destination);
  dnnl::stream stream(engine);
  dnnl::reorder(in, out).execute(stream, in, out);
  stream.wait();
}

void execute(const dnnl::primitive& primitive, const dnnl::stream& stream,
             const std::vector<dnnl_exec_arg_t>& arguments, const std::string& step) {
  const dnnl_status_t status = dnnl_primitive_execute(
      primitive.get(), stream.get(), static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success) {
    throw Error(concat("cpu: ", step, ": oneDNN failed with status ", static_cast<int>(status)));
  }
}

std::string version() {
  const dnnl_version_t* const v = dnnl_version();
  return concat(v->major, ".", v->minor, ".", v->patch);
}

std::string instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx: return "AVX-512 with AMX";
    case dnnl::cpu_isa::avx512_core_bf16: return "AVX-512 with bf16";
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core: return "AVX-512";
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx2: return "AVX2";
    case dnnl::cpu_isa::avx: return "AVX";
    default: return "SSE4.1";
  }
}

}  // namespace millrace::cpu::onednn
