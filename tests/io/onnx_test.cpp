#include <millrace/io/onnx.h>

#include "catch.h"
#include "io/onnx_message.h"
#include "io/scratch.h"

using namespace millrace;
using namespace millrace::test;

namespace {

OnnxGraph small_graph() {
  return {.name = "small",
          .opset = 17,
          .version = "1.2.3",
          .nodes = {{.op = "Gemm",
                     .name = "dense",
                     .inputs = {"input", "dense.weight"},
                     .outputs = {"dense"},
                     .attributes = {{"transB", std::int64_t{1}}, {"alpha", 0.5F}}},
                    {.op = "Pad",
                     .name = "pad",
                     .inputs = {"dense", "pads", ""},
                     .outputs = {"output"},
                     .attributes = {{"mode", std::string("constant")},
                                    {"axes", std::vector<std::int64_t>{0, -1}}}}},
          .constants = {{"dense.weight", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, -6.5F}},
                        {"pads", {4}, std::vector<std::int64_t>{0, 1, 0, 2}},
                        {"one", {}, std::vector<float>{1}}},
          .input = {"input", {3}},
          .output = {"output", {5}},
          .metadata = {{"b", "ü"}, {"a", "1"}}};
}

}  // namespace

TEST_CASE("an ONNX file has the graph that was given, in ONNX's own fields") {
  const Scratch scratch;
  write_onnx(scratch / "small.onnx", small_graph());
  const onnx::ModelProto model = read_onnx(scratch / "small.onnx");
  CHECK(model.ir_version() == 8);
  CHECK(model.producer_name() == "millrace");
  CHECK(model.producer_version() == "1.2.3");
  REQUIRE(model.opset_import_size() == 1);
  CHECK(model.opset_import(0).domain().empty());
  CHECK(model.opset_import(0).version() == 17);
  REQUIRE(model.metadata_props_size() == 2);
  CHECK(model.metadata_props(1).key() == "b");
  CHECK(model.metadata_props(1).value() == "ü");
  CHECK(model.graph().name() == "small");
  CHECK(operators_of(model) == "Gemm Pad");
  CHECK(names_problem(model).empty());

  const onnx::NodeProto& dense = model.graph().node(0);
  CHECK(find_attribute(dense, "transB")->type() == onnx::AttributeProto::INT);
  CHECK(find_attribute(dense, "transB")->i() == 1);
  CHECK(find_attribute(dense, "alpha")->type() == onnx::AttributeProto::FLOAT);
  CHECK(find_attribute(dense, "alpha")->f() == 0.5F);
  const onnx::NodeProto& pad = model.graph().node(1);
  CHECK(find_attribute(pad, "mode")->s() == "constant");
  CHECK(find_attribute(pad, "mode")->type() == onnx::AttributeProto::STRING);
  CHECK(find_attribute(pad, "axes")->type() == onnx::AttributeProto::INTS);
  CHECK(ints_of(pad, "axes") == std::vector<std::int64_t>{0, -1});
  CHECK(pad.input(2).empty());

  const onnx::TensorProto& weight = *find_initializer(model, "dense.weight");
  CHECK(weight.data_type() == 1);
  CHECK(dims_of(weight) == std::vector<std::int64_t>{2, 3});
  CHECK(values_of<float>(weight) == std::vector<float>{1, 2, 3, 4, 5, -6.5F});
  const onnx::TensorProto& pads = *find_initializer(model, "pads");
  CHECK(pads.data_type() == 7);
  CHECK(values_of<std::int64_t>(pads) == std::vector<std::int64_t>{0, 1, 0, 2});
  CHECK(find_initializer(model, "one")->dims_size() == 0);

  const auto& input = model.graph().input(0);
  CHECK(input.type().tensor_type().elem_type() == 1);
  CHECK(input.type().tensor_type().shape().dim(0).dim_param() == "N");
  CHECK(input.type().tensor_type().shape().dim(1).dim_value() == 3);
}

// The bytes by hand, from the field numbers in ONNX's onnx.proto: a reader of its own definition
// finds each field where it looks for it.
TEST_CASE("fields of an ONNX file have the numbers of ONNX's definition") {
  const Scratch scratch;
  const OnnxGraph graph{.name = "g",
                        .version = "1",
                        .nodes = {{.op = "Relu",
                                   .name = "r",
                                   .inputs = {"x"},
                                   .outputs = {"y"},
                                   .attributes = {{"a", std::int64_t{5}}}}},
                        .constants = {{"c", {1}, std::vector<std::int64_t>{2}}},
                        .input = {"x", {3}},
                        .output = {"y", {3}},
                        .metadata = {{"k", "v"}}};
  write_onnx(scratch / "g.onnx", graph);
  using namespace std::string_literals;
  const std::string attribute =
      "\x0a\x01"
      "a"
      "\x18\x05"
      "\xa0\x01\x02"s;
  const std::string node =
      "\x0a\x01x"
      "\x12\x01y"
      "\x1a\x01r"
      "\x22\x04Relu"
      "\x2a\x08"s +
      attribute;
  const std::string tensor =
      "\x08\x01"
      "\x10\x07"
      "\x42\x01"
      "c"
      "\x4a\x08\x02\0\0\0\0\0\0\0"s;
  const std::string file = text_of(scratch / "g.onnx");
  CHECK(file.find("\x08\x08"
                  "\x12\x08millrace"
                  "\x1a\x01"
                  "1"s) == 0);
  CHECK(file.find(node) != std::string::npos);
  CHECK(file.find(tensor) != std::string::npos);
  CHECK(file.find("\x42\x04\x0a\0\x10\x11"s) != std::string::npos);      // opset_import
  CHECK(file.find("\x72\x06\x0a\x01k\x12\x01v"s) != std::string::npos);  // metadata_props
  const std::string type =
      "\x12\x0f\x0a\x0d\x08\x01\x12\x09"
      "\x0a\x03\x12\x01N"
      "\x0a\x02\x08\x03"s;
  CHECK(file.find("\x5a\x14\x0a\x01x"s + type) != std::string::npos);  // input
  CHECK(file.find("\x62\x14\x0a\x01y"s + type) != std::string::npos);  // output
}

TEST_CASE("the format of an ONNX file is as new as its operators need") {
  CHECK(onnx_ir_version(13) == 8);
  CHECK(onnx_ir_version(18) == 8);
  CHECK(onnx_ir_version(19) == 9);
  CHECK(onnx_ir_version(20) == 9);
  CHECK(onnx_ir_version(21) == 10);
  CHECK(onnx_ir_version(22) == 10);
  CHECK(onnx_ir_version(23) == 11);
}

TEST_CASE("an ONNX file that cannot be written leaves what was there") {
  const Scratch scratch;
  const auto path = scratch.write("there.onnx", "old");
  OnnxGraph graph = small_graph();
  graph.constants.push_back({"bad", {7}, std::vector<float>{1}});
  CHECK_THROWS(write_onnx(path, graph));
  CHECK(text_of(path) == "old");
  CHECK_THROWS_WITH(write_onnx(scratch / "no/such/folder.onnx", small_graph()),
                    Catch::Contains("folder.onnx"));
  // Larger than a message of protobuf can be; the numbers are not looked at before.
  const std::span<const float> none;
  graph.constants.back() = {"huge", {1 << 20, 1 << 10}, none};
  CHECK_THROWS_WITH(write_onnx(path, graph), Catch::Contains("there.onnx: would take 4 GiB") &&
                                                 Catch::Contains("less than 2 GiB"));
  CHECK(text_of(path) == "old");
}
