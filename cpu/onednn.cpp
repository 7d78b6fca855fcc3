#include <millrace/cpu/onednn.h>

#include <millrace/core/error.h>
#include <millrace/cpu/onednn_versions.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::cpu::onednn {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;
using versions::backward;
using versions::forward;

// Scratch comes from the caller: one block for a whole step, instead of one an operation.
dnnl::primitive_attr attributes(const After& after = {}) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops operations;
  if (after.adds) operations.append_sum(1.0F);
  if (std::isinf(after.ceiling)) {
    versions::append_eltwise(operations, algorithm::eltwise_relu, 0.0F, 0.0F);
  } else if (after.ceiling != kNoRectifier) {
    versions::append_eltwise(operations, algorithm::eltwise_clip, 0.0F, after.ceiling);
  }
  attr.set_post_ops(operations);
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

Layout bias_of(const Layout& destination, bool present) {
  return present ? layout({dims(destination)[1]}, Tag::a) : Layout();
}

struct Frame {
  Dims strides, dilates, low, high;
};

// oneDNN counts the pixels that a dilated window leaves out.
Frame frame(const Window& w) {
  return {{w.stride.rows, w.stride.columns},
          {w.dilation.rows - 1, w.dilation.columns - 1},
          {w.top, w.left},
          {w.bottom, w.right}};
}

// Backward descriptors want a forward one as a hint. Its layouts do not matter for convolutions and
// inner products, so it is left free and can always be found.
dnnl::convolution_forward::primitive_desc convolution_hint(const dnnl::engine& engine,
                                                           const Convolution& shape) {
  const auto [strides, dilates, low, high] = frame(shape.window);
  return forward<dnnl::convolution_forward>(
      engine, {}, prop_kind::forward_training, algorithm::convolution_direct, any(shape.source),
      any(shape.weights), any(shape.destination), strides, dilates, low, high);
}

dnnl::inner_product_forward::primitive_desc dense_hint(const dnnl::engine& engine,
                                                       const Dense& shape) {
  return forward<dnnl::inner_product_forward>(engine, {}, prop_kind::forward_training,
                                              any(shape.source), any(shape.weights),
                                              any(shape.destination));
}

dnnl::pooling_forward::primitive_desc pooling_description(const dnnl::engine& engine,
                                                          const Pooling& p, prop_kind kind) {
  const auto [strides, dilates, low, high] = frame(p.window);
  return forward<dnnl::pooling_forward>(
      engine, attributes(), kind, p.algorithm, p.source, p.destination, strides,
      Dims{p.window.size.rows, p.window.size.columns}, MILLRACE_SINCE_3(dilates) low, high);
}

dnnl::eltwise_forward::primitive_desc eltwise_description(const dnnl::engine& engine,
                                                          const Eltwise& function,
                                                          const Layout& data) {
  return forward<dnnl::eltwise_forward>(engine, attributes(), prop_kind::forward_training,
                                        function.algorithm, MILLRACE_SINCE_3(data) data,
                                        function.alpha);
}

dnnl::softmax_forward::primitive_desc softmax_description(const dnnl::engine& engine,
                                                          const Layout& data) {
  return forward<dnnl::softmax_forward>(engine, attributes(), prop_kind::forward_training,
                                        MILLRACE_SINCE_3(algorithm::softmax_accurate, data) data,
                                        1);
}

}  // namespace

Dims dims(const Layout& layout) {
  return versions::dims(layout);
}

Layout layout(const Dims& dims, Tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

Layout row_major(const Dims& dims) {
  constexpr std::array tags{Tag::any, Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde};
  return layout(dims, tags.at(dims.size()));
}

Window placed(const nn::SlidingWindow& window, const Shape& image) {
  const auto [down, across] = nn::place(window, image[1], image[2]);
  return {.size = window.size,
          .stride = window.stride,
          .dilation = window.dilation,
          .top = down.before,
          .left = across.before,
          .bottom = down.after + down.beyond,
          .right = across.after + across.beyond};
}

Layout any(const Layout& like) {
  return layout(dims(like), Tag::any);
}

Layout Kernel::at(int argument) const {
  return description_.query_md(dnnl::query::exec_arg_md, argument);
}

bool Kernel::is_main_work() const {
  using Kind = dnnl::primitive::kind;
  constexpr std::array kMain{Kind::convolution, Kind::inner_product, Kind::matmul, Kind::pooling};
  return std::find(kMain.begin(), kMain.end(), description_.get_kind()) != kMain.end();
}

Found convolution_forward(const dnnl::engine& engine, const Convolution& shape, Purpose purpose,
                          const After& after) {
  return find([&] {
    const auto [strides, dilates, low, high] = frame(shape.window);
    // For inference Winograd wants transformed weights, which nothing else can read.
    const bool is_winograd = shape.algorithm == algorithm::convolution_winograd;
    const prop_kind kind = is_winograd ? prop_kind::forward_training : forward_kind(purpose);
    return forward<dnnl::convolution_forward>(
        engine, attributes(after), kind, shape.algorithm, shape.source, shape.weights,
        bias_of(shape.destination, shape.bias), shape.destination, strides, dilates, low, high);
  });
}

Found convolution_backward_data(const dnnl::engine& engine, const Convolution& shape) {
  return find([&] {
    const auto [strides, dilates, low, high] = frame(shape.window);
    return backward<dnnl::convolution_backward_data>(
        engine, attributes(), convolution_hint(engine, shape), shape.algorithm, shape.source,
        shape.weights, shape.destination, strides, dilates, low, high);
  });
}

Found convolution_backward_weights(const dnnl::engine& engine, const Convolution& shape) {
  return find([&] {
    const auto [strides, dilates, low, high] = frame(shape.window);
    return backward<dnnl::convolution_backward_weights>(
        engine, attributes(), convolution_hint(engine, shape), shape.algorithm, shape.source,
        shape.weights, bias_of(shape.destination, shape.bias), shape.destination, strides, dilates,
        low, high);
  });
}

Found dense_forward(const dnnl::engine& engine, const Dense& shape, Purpose purpose,
                    const After& after) {
  return find([&] {
    return forward<dnnl::inner_product_forward>(
        engine, attributes(after), forward_kind(purpose), shape.source, shape.weights,
        bias_of(shape.destination, shape.bias), shape.destination);
  });
}

Found dense_backward_data(const dnnl::engine& engine, const Dense& shape) {
  return find([&] {
    return backward<dnnl::inner_product_backward_data>(engine, attributes(),
                                                       dense_hint(engine, shape), shape.source,
                                                       shape.weights, shape.destination);
  });
}

Found dense_backward_weights(const dnnl::engine& engine, const Dense& shape) {
  return find([&] {
    return backward<dnnl::inner_product_backward_weights>(
        engine, attributes(), dense_hint(engine, shape), shape.source, shape.weights,
        bias_of(shape.destination, shape.bias), shape.destination);
  });
}

Found pooling_forward(const dnnl::engine& engine, const Pooling& shape, Purpose purpose) {
  return find([&] { return pooling_description(engine, shape, forward_kind(purpose)); });
}

Found pooling_backward(const dnnl::engine& engine, const Pooling& shape) {
  return find([&] {
    const auto [strides, dilates, low, high] = frame(shape.window);
    return backward<dnnl::pooling_backward>(
        engine, attributes(), pooling_description(engine, shape, prop_kind::forward_training),
        shape.algorithm, shape.source, shape.destination, strides,
        Dims{shape.window.size.rows, shape.window.size.columns}, MILLRACE_SINCE_3(dilates) low,
        high);
  });
}

Found eltwise_forward(const dnnl::engine& engine, const Eltwise& function, const Layout& data) {
  return find([&] { return eltwise_description(engine, function, data); });
}

Found eltwise_backward(const dnnl::engine& engine, const Eltwise& function, const Layout& data) {
  return find([&] {
    return backward<dnnl::eltwise_backward>(
        engine, attributes(), eltwise_description(engine, function, data), function.algorithm,
        MILLRACE_SINCE_3(data) data, data, function.alpha);
  });
}

Found softmax_forward(const dnnl::engine& engine, const Layout& data) {
  return find([&] { return softmax_description(engine, data); });
}

Found softmax_backward(const dnnl::engine& engine, const Layout& data) {
  return find([&] {
    return backward<dnnl::softmax_backward>(
        engine, attributes(), softmax_description(engine, data),
        MILLRACE_SINCE_3(algorithm::softmax_accurate, data) data, data, 1);
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

// A set of instructions contains those before it, as bits.
std::string instruction_set() {
  using Set = dnnl::cpu_isa;
  const auto here = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto has = [here](Set set) {
    return (here & static_cast<unsigned>(set)) == static_cast<unsigned>(set);
  };
  if (has(Set::avx512_core_amx)) return "AVX-512 with AMX";
  if (has(Set::avx512_core_bf16)) return "AVX-512 with bf16";
  if (has(Set::avx512_core)) return "AVX-512";
  if (has(Set::avx2)) return "AVX2";
  return has(Set::avx) ? "AVX" : "SSE4.1";
}

}  // namespace millrace::cpu::onednn
