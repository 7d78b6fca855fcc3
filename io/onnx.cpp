#include <millrace/io/onnx.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx.pb.h>

#include <bit>
#include <exception>
#include <type_traits>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

enum ElementType { kFloat = 1, kInt64 = 7 };

/// No exception may pass through protobuf's stream, whose destructor writes too.
class ToFile final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit ToFile(AtomicFile& file) : file_(file) {}
  bool Write(const void* data, int size) override {
    try {
      file_.write(std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
      return true;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }
  void check() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  AtomicFile& file_;
  std::exception_ptr error_;
};

void put(const OnnxAttribute& attribute, onnx::AttributeProto& into) {
  using Proto = onnx::AttributeProto;
  into.set_name(attribute.name);
  if (const auto* whole = std::get_if<std::int64_t>(&attribute.value)) {
    into.set_type(Proto::INT);
    into.set_i(*whole);
  } else if (const auto* number = std::get_if<float>(&attribute.value)) {
    into.set_type(Proto::FLOAT);
    into.set_f(*number);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    into.set_type(Proto::STRING);
    into.set_s(*text);
  } else {
    into.set_type(Proto::INTS);
    for (const std::int64_t i : std::get<std::vector<std::int64_t>>(attribute.value)) {
      into.add_ints(i);
    }
  }
}

void put(const OnnxNode& node, onnx::NodeProto& into) {
  into.set_op_type(node.op);
  into.set_name(node.name);
  for (const std::string& input : node.inputs) into.add_input(input);
  for (const std::string& output : node.outputs) into.add_output(output);
  for (const OnnxAttribute& attribute : node.attributes) put(attribute, *into.add_attribute());
}

void put(const OnnxConstant& constant, onnx::TensorProto& into) {
  into.set_name(constant.name);
  for (const std::int64_t extent : constant.shape.extents()) into.add_dims(extent);
  std::visit(
      [&](const auto& values) {
        using Element = std::remove_cvref_t<decltype(values[0])>;
        MILLRACE_CHECK(static_cast<std::int64_t>(values.size()) == constant.shape.elements(),
                       constant.name, " of ", constant.shape, " has ", values.size(), " values");
        into.set_data_type(std::is_same_v<Element, float> ? kFloat : kInt64);
        into.set_raw_data(values.data(), values.size() * sizeof(Element));
      },
      constant.values);
}

void put(const OnnxValue& value, onnx::ValueInfoProto& into) {
  into.set_name(value.name);
  onnx::TypeProto::Tensor& type = *into.mutable_type()->mutable_tensor_type();
  type.set_elem_type(kFloat);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const std::int64_t extent : value.sample.extents()) {
    type.mutable_shape()->add_dim()->set_dim_value(extent);
  }
}

std::int64_t bytes_of_constants(const OnnxGraph& graph) {
  std::int64_t bytes = 0;
  for (const OnnxConstant& constant : graph.constants) {
    const bool is_whole = std::holds_alternative<std::vector<std::int64_t>>(constant.values);
    bytes += constant.shape.elements() * (is_whole ? 8 : 4);
  }
  return bytes;
}

onnx::ModelProto message_of(const OnnxGraph& graph) {
  onnx::ModelProto model;
  model.set_ir_version(onnx_ir_version(graph.opset));
  model.set_producer_name("millrace");
  model.set_producer_version(graph.version);
  onnx::OperatorSetIdProto& operators = *model.add_opset_import();
  operators.set_domain("");
  operators.set_version(graph.opset);
  for (const auto& [key, value] : graph.metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& into = *model.mutable_graph();
  into.set_name(graph.name);
  for (const OnnxNode& node : graph.nodes) put(node, *into.add_node());
  for (const OnnxConstant& constant : graph.constants) put(constant, *into.add_initializer());
  put(graph.input, *into.add_input());
  put(graph.output, *into.add_output());
  return model;
}

[[noreturn]] void refuse_size(const std::filesystem::path& path, std::int64_t bytes) {
  throw Error(concat(path.string(), ": would take ", Bytes{static_cast<std::uint64_t>(bytes)},
                     "; an ONNX file holds less than 2 GiB"));
}

}  // namespace

int onnx_ir_version(int opset) noexcept {
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  return 8;
}

void write_onnx(const std::filesystem::path& path, const OnnxGraph& graph) {
  const std::int64_t least = bytes_of_constants(graph);
  if (least > kMostOnnxBytes) refuse_size(path, least);
  const onnx::ModelProto model = message_of(graph);
  const auto bytes = static_cast<std::int64_t>(model.ByteSizeLong());
  if (bytes > kMostOnnxBytes) refuse_size(path, bytes);
  AtomicFile file(path);
  ToFile out(file);
  {
    constexpr int kBlock = 1 << 20;
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&out, kBlock);
    const bool is_whole = model.SerializeToZeroCopyStream(&stream) && stream.Flush();
    out.check();
    if (!is_whole) throw Error(concat(path.string(), ": cannot be written"));
  }
  file.commit();
}

}  // namespace millrace
