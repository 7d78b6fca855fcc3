// Which algorithm a convolution gets: by time, by what was kept, within a limit of memory.

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "cpu/compare.h"
#include "io/scratch.h"

using namespace millrace;
using cpu::Algorithms;
using nlohmann::json;
using nn::ModelBuilder;
namespace fs = std::filesystem;

namespace {

const nn::CompileOptions kFour{
    .batch = 4, .other_batches = {3}, .optimizer = {.learning_rate = 0.1}};

nn::Model convnet() {
  ModelBuilder builder("m", {14, 13, 3});
  builder.conv(32).relu().conv(32).relu().max_pool();
  return builder.flatten().dense(4).softmax().build();
}

cpu::EngineOptions fastest(const fs::path& kept, const fs::path& given = {}) {
  return {.threads = 1, .algorithms = Algorithms::fastest, .timings = {kept, given}};
}

json read_json(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

void write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

/// Steps that run on Winograd's algorithm.
std::int64_t winograds(const nn::Executor& executor) {
  const auto timings = executor.timings();
  return std::count_if(timings.begin(), timings.end(), [](const nn::OpTiming& timing) {
    return timing.implementation.find("wino") != std::string::npos;
  });
}

/// What each step runs on.
std::vector<std::string> implementations(const nn::Executor& executor) {
  std::vector<std::string> all;
  for (const nn::OpTiming& timing : executor.timings()) {
    all.push_back(timing.name + ": " + timing.implementation);
  }
  return all;
}

/// A file of times in which Winograd's algorithm takes `factor` times as long as any other.
std::string rated(json content, double factor) {
  for (json& operations : content["timings"]) {
    for (json& ways : operations) {
      for (auto& [name, time] : ways.items()) {
        time = name.find("wino") == std::string::npos ? 100.0 : 100.0 * factor;
      }
    }
  }
  return content.dump();
}

std::size_t count_of_ways(const json& content) {
  std::size_t count = 0;
  for (const json& operations : content["timings"]) {
    for (const json& ways : operations) count += ways.size();
  }
  return count;
}

/// Times of all ways that are met where Winograd's algorithm takes any of these factors as long. A
/// choice decides which ways the next operation has; one without a made-up time would be measured,
/// and chosen by chance.
json all_met(const fs::path& file, const cpu::EngineOptions& options,
             const std::vector<double>& factors, const nn::CompileOptions& compiled = kFour) {
  (void)cpu::make_engine(options)->compile(convnet(), compiled);
  json content = read_json(file);
  for (std::size_t before = 0; before != count_of_ways(content);) {
    before = count_of_ways(content);
    for (const double factor : factors) {
      write_text(file, rated(content, factor));
      (void)cpu::make_engine(options)->compile(convnet(), compiled);
      content = read_json(file);
    }
  }
  return content;
}

void no_choice() {
  WARN("not checked: the library has one algorithm for a convolution here");
}

}  // namespace

TEST_CASE(
    "The fastest algorithms of a convolution whose outputs are flattened agree with float64") {
  for (const int filters : {4, 16, 64}) {
    ModelBuilder builder("m", {8, 8, 3});
    builder.conv(8, 3, nn::Padding::same).conv(filters, 3, nn::Padding::same).flatten().dense(3);
    test::check_model(builder.softmax().build(), {.batch = 7, .optimizer = {.learning_rate = 0.1}},
                      {7, 3}, fastest({}));
  }
}

TEST_CASE("The fastest algorithms agree with float64") {
  ModelBuilder builder("m", {15, 12, 3});
  builder.conv(32).relu().conv(40, 3, nn::Padding::same).relu().max_pool().conv(33, 2).relu();
  const nn::Model model = builder.flatten().dense(4).softmax().build();
  for (const int threads : {1, 2}) {
    cpu::EngineOptions engine = fastest({});
    engine.threads = threads;
    test::check_model(model, {.batch = 7, .optimizer = {.learning_rate = 0.1}}, {7, 3}, engine);
  }
}

TEST_CASE("What was timed is kept: an engine with the same file times nothing and takes the same") {
  const test::Scratch scratch;
  const nn::Model model = convnet();
  int timed = 0;
  cpu::EngineOptions options = fastest(scratch / "cache" / "timings.json");
  options.on_timing = [&timed](std::uint64_t) { ++timed; };
  const auto first = cpu::make_engine(options);
  CHECK(first->choices().empty());
  const auto executor = first->compile(model, kFour);
  if (test::has_winograd(options)) CHECK(timed >= 3);  // the passes of the second convolution
  const std::string choices = first->choices();
  CHECK_FALSE(choices.empty());

  timed = 0;
  const auto second = cpu::make_engine(options);
  CHECK(implementations(*second->compile(model, kFour)) == implementations(*executor));
  CHECK(timed == 0);
  CHECK(second->choices() == choices);

  // A run's own copy stands for the file of the machine.
  write_text(scratch / "run.json", choices);
  options.timings = {{}, scratch / "run.json"};
  CHECK(implementations(*cpu::make_engine(options)->compile(model, kFour)) ==
        implementations(*executor));
  CHECK(timed == 0);
}

TEST_CASE("Times that are known stay when a way is timed that was not") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  if (!test::has_winograd(fastest(file))) return no_choice();
  json content = json::parse(rated(all_met(file, fastest(file), {2}), 2));
  for (json& operations : content["timings"]) {
    REQUIRE(operations.size() >= 3);
    for (json& ways : operations) ways.erase(ways.begin());
  }
  write_text(file, content.dump());
  (void)cpu::make_engine(fastest(file))->compile(convnet(), kFour);
  json later = read_json(file);
  CHECK(count_of_ways(later) > count_of_ways(content));
  for (const auto& [owner, operations] : content["timings"].items()) {
    for (const auto& [operation, ways] : operations.items()) {
      INFO(operation);
      for (const auto& [way, time] : ways.items()) {
        CHECK(later["timings"][owner][operation][way] == time);
      }
    }
  }
}

TEST_CASE("Kept times decide, a tie goes to the direct algorithm, and a run's own times win") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  const nn::Model model = convnet();
  const cpu::EngineOptions options = fastest(file);
  if (!test::has_winograd(options)) return no_choice();
  const json content = all_met(file, options, {0.5, 0.94, 0.96, 2});
  const auto with = [&](double factor) {
    write_text(file, rated(content, factor));
    return winograds(*cpu::make_engine(options)->compile(model, kFour));
  };
  const std::int64_t all = with(0.5);
  CHECK(all >= 3);
  CHECK(with(0.94) == all);
  CHECK(with(0.96) == 0);
  CHECK(with(2) == 0);
  write_text(scratch / "run.json", rated(content, 0.5));
  const auto engine = cpu::make_engine(fastest(file, scratch / "run.json"));
  CHECK(winograds(*engine->compile(model, kFour)) == all);
}

TEST_CASE("A file of times keeps what it says of other machines, and a damaged one is replaced") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  write_text(file, R"({"format": "millrace timings 2", "timings": {"another": {"op": {"w": 1}}}})");
  (void)cpu::make_engine(fastest(file))->compile(convnet(), kFour);
  CHECK(read_json(file)["timings"]["another"]["op"]["w"] == 1);
  CHECK(read_json(file)["timings"].size() == 2);
  for (const char* damage : {"{\"format\": \"mill", "[]", "", R"({"format": "other"})"}) {
    write_text(file, damage);
    (void)cpu::make_engine(fastest(file))->compile(convnet(), kFour);
    CHECK(read_json(file)["timings"].size() == 1);
  }
  const fs::path folder = scratch / "timings.json" / "is-a-file";  // cannot be written
  CHECK_NOTHROW(cpu::make_engine(fastest(folder / "f.json"))->compile(convnet(), kFour));
}

TEST_CASE("An algorithm whose scratch does not fit the memory is no candidate") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  const nn::Model model = convnet();
  cpu::EngineOptions options = fastest(file);
  if (!test::has_winograd(options)) return no_choice();
  const auto direct = cpu::make_engine({.threads = 1})->compile(model, kFour);
  // A choice decides which ways the next operation has: until all that are met have made-up times.
  for (const Bytes limit :
       {Bytes{}, nn::total(direct->memory()), Bytes{}, nn::total(direct->memory())}) {
    options.memory_limit = limit;
    (void)cpu::make_engine(options)->compile(model, kFour);
    write_text(file, rated(read_json(file), 0.5));
  }
  options.memory_limit = {};
  const auto free = cpu::make_engine(options)->compile(model, kFour);
  REQUIRE(winograds(*free) > 0);
  REQUIRE(nn::total(free->memory()) > nn::total(direct->memory()));

  options.memory_limit = nn::total(direct->memory());
  const auto limited = cpu::make_engine(options)->compile(model, kFour);
  CHECK(winograds(*limited) < winograds(*free));
  CHECK(nn::total(limited->memory()) <= options.memory_limit);
  options.memory_limit = nn::total(free->memory());
  CHECK(winograds(*cpu::make_engine(options)->compile(model, kFour)) == winograds(*free));
}

TEST_CASE("For a few steps nothing is timed, and without kept times all of a model is direct") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  ModelBuilder builder("m", {15, 12, 3});
  builder.conv(32).relu().conv(40, 3, nn::Padding::same).relu().conv(48, 3, nn::Padding::same);
  const nn::Model model = builder.relu().flatten().dense(4).softmax().build();
  int timed = 0;
  cpu::EngineOptions options = fastest(file);
  options.on_timing = [&timed](std::uint64_t) { ++timed; };
  const auto compiled = [&](std::optional<std::uint64_t> steps) {
    return cpu::make_engine(options)->compile(
        model, {.batch = 4, .other_batches = {3}, .training = false, .steps = steps});
  };
  const auto direct =
      implementations(*cpu::make_engine({.threads = 1})
                           ->compile(model, {.batch = 4, .other_batches = {3}, .training = false}));
  CHECK(implementations(*compiled(1)) == direct);
  CHECK(implementations(*compiled(15)) == direct);
  CHECK(timed == 0);
  CHECK_FALSE(fs::exists(file));

  // Many steps are worth it, and later a few use what was found.
  if (!test::has_winograd(options)) return no_choice();
  const auto many = implementations(*compiled(16));
  CHECK(timed >= 1);
  timed = 0;
  CHECK(implementations(*compiled(1)) == many);
  CHECK(implementations(*compiled(std::nullopt)) == many);
  CHECK(timed == 0);

  // Where one operation is not known, none is taken by the times of others.
  json content = json::parse(rated(read_json(file), 0.5));
  for (json& operations : content["timings"]) {
    if (operations.size() < 2) return no_choice();
    operations.erase(operations.begin());
  }
  write_text(file, content.dump());
  CHECK(implementations(*compiled(1)) == direct);
  CHECK(timed == 0);
}

TEST_CASE("Kept times decide for a few steps as they do for many") {
  const test::Scratch scratch;
  const fs::path file = scratch / "timings.json";
  const cpu::EngineOptions options = fastest(file);
  if (!test::has_winograd(options)) return no_choice();
  nn::CompileOptions compiled{.batch = 4, .training = false};
  write_text(file, rated(all_met(file, options, {0.5}, compiled), 0.5));
  compiled.steps = 1;
  CHECK(winograds(*cpu::make_engine(options)->compile(convnet(), compiled)) >= 1);
}
