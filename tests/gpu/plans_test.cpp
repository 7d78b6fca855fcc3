// Whether cuDNN has good plans for the convolutions of the zoo. cuDNN builds plans for a card that
// is described, so no GPU is needed; the description of a card is written by hand from NVIDIA's
// tables.

#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/gpu/convolution_shapes.h>
#include <millrace/gpu/plan_check.h>
#include <millrace/nn/zoo.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace millrace;
using gpu::Convolution;

std::string device(const std::string& name) {
  std::ifstream in(std::string(MILLRACE_TEST_DATA) + "/gpu/" + name + ".json");
  REQUIRE(in.is_open());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every convolution of a training step, in the order of its operations.
std::vector<Convolution> convolutions(const nn::Model& model, std::int64_t batch,
                                      nn::Precision precision) {
  const nn::Graph graph =
      nn::build_graph(model, batch, nn::Mode::training, nn::Loss::softmax_cross_entropy);
  std::vector<Convolution> found;
  for (const nn::Op& op : graph.ops) {
    if (op.kind == nn::OpKind::conv2d) {
      found.push_back(gpu::convolution_of(graph, op, precision));
    }
  }
  return found;
}

struct Case {
  const char* model;
  std::int64_t size;
};
/// All that the zoo asks for, without repetitions.
std::vector<Convolution> of_the_zoo() {
  std::vector<Convolution> all;
  for (const auto [model, size] : {Case{"cnn", 150}, Case{"vgg16", 150}, Case{"vgg16", 224}}) {
    for (const std::int64_t batch : {32, 256}) {
      for (const nn::Precision precision : {nn::Precision::fp16, nn::Precision::bf16}) {
        for (const Convolution& convolution :
             convolutions(nn::zoo_model(model, {size, size, 3}, 10), batch, precision)) {
          if (std::find(all.begin(), all.end(), convolution) == all.end()) {
            all.push_back(convolution);
          }
        }
      }
    }
  }
  return all;
}

void check_zoo(const std::string& card) {
  const std::string json = device(card);
  const std::vector<Convolution> all = of_the_zoo();
  // 4 + 13 + 13 layers; 3 passes each but the first, which has 2; 2 batches, 2 precisions; less
  // what two models have in common.
  REQUIRE(all.size() > 250);
  for (const Convolution& convolution : all) {
    INFO(card << ": " << to_string(convolution));
    const gpu::PlanReport report = gpu::check_plan(convolution, json, 16_MiB);
    CHECK(report.exists);
    INFO(report.plan);
    CHECK(report.tensor_cores);
    CHECK(report.deterministic);
    CHECK_FALSE(report.compiled_at_run_time);
    CHECK(report.workspace <= 16_MiB);
    CHECK(report.serialized.count > 0);
  }
}

}  // namespace

TEST_CASE("an H200 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("h200");
}
TEST_CASE("an A100 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("a100");
}
TEST_CASE("an RTX 4090 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("rtx4090");
}

TEST_CASE("forward convolutions of the zoo carry their bias and ReLU") {
  int forward = 0;
  for (const Convolution& convolution : of_the_zoo()) {
    if (convolution.pass != Convolution::Pass::forward) continue;
    ++forward;
    INFO(to_string(convolution));
    CHECK(convolution.bias);
    CHECK(convolution.relu);
  }
  CHECK(forward > 80);
}
