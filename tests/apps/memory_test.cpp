// Memory is bounded by construction: more data means a longer index and nothing else.

#include "apps/train_run.h"

#include <millrace/core/bytes.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

/// Grey images of 16x16 in two classes. A class is one file under many names: reading it is the
/// work of reading many, and making it is not.
fs::path write_linked(const fs::path& root, int count) {
  for (const auto& [name, brightness] : {std::pair("dark", 40), std::pair("light", 200)}) {
    const std::vector<std::uint8_t> pixels(16 * 16, static_cast<std::uint8_t>(brightness));
    const fs::path first = root / name / "0.png";
    fs::create_directories(first.parent_path());
    write_file(first, encode_png({pixels.data(), 16, 16, 1}));
    for (int i = 1; i < count / 2; ++i) {
      fs::create_hard_link(first, root / name / (std::to_string(i) + ".png"));
    }
  }
  return root;
}

/// "  index   1.2 MiB" of a plan, or "  total   1.2 GiB  of 2 GiB".
Bytes line_of_plan(const std::string& plan, const std::string& name) {
  for (const std::string& line : Outcome::lines(plan)) {
    if (line.rfind("  " + name + "  ", 0) != 0) continue;
    const std::size_t begin = line.find_first_not_of(' ', name.size() + 2);
    return parse_bytes(line.substr(begin, line.find("  ", begin) - begin));
  }
  FAIL("the plan has no line '" << name << "':\n" << plan);
  return {};
}

/// KiB at the peak of a training, less what the plan says of the index and the order of samples.
double peak_without_index(const Scratch& scratch, int count, int epochs = 1) {
  const std::string name = std::to_string(count) + 'x' + std::to_string(epochs);
  const fs::path data = write_linked(scratch / ("data" + name), count);
  const Arguments options = {"--model", "mlp:32", "--epochs", std::to_string(epochs)};
  Arguments plan_only = options;
  plan_only.push_back("--print-plan");
  const std::string plan = trained(data, scratch / ("run" + name), plan_only).out;
  const Bytes index = line_of_plan(plan, "index");
  const Bytes order = line_of_plan(plan, "order of samples");
  CHECK(index.count + order.count >= static_cast<std::uint64_t>(count) * 4);  // it does count them
  const Outcome outcome = trained(data, scratch / ("run" + name), options);
  CHECK(column(scratch / ("run" + name), "samples") ==
        Arguments(static_cast<std::size_t>(epochs),
                  std::to_string(count - count / 5)));  // the rest is for validation
  return static_cast<double>(outcome.peak_kib) -
         static_cast<double>(index.count + order.count) / 1024;
}

/// MiB of a short training: what its plan says, and what it took besides at the peak.
struct Figures {
  double planned = 0, base = 0;
};

Figures figures(const fs::path& data, const fs::path& run, Arguments options) {
  options.insert(options.end(), {"--epochs", "1", "--print-plan"});
  // This also times the algorithms of convolutions, in memory that is gone before the plan's is
  // taken.
  const std::string plan = trained(data, run, options).out;
  options.pop_back();
  const Outcome outcome = trained(data, run, options);
  // These small images need none of what decoding may take.
  const std::uint64_t planned = line_of_plan(plan, "total").count -
                                line_of_plan(plan, "decode scratch").count -
                                line_of_plan(plan, "decode shared scratch").count;
  const double mib = static_cast<double>(planned) / (1 << 20);
  return {mib, static_cast<double>(outcome.peak_kib) / 1024 - mib};
}

}  // namespace

TEST_CASE("ten times the images take no more memory but that of their index") {
  const Scratch scratch;
  const double few = peak_without_index(scratch, 6000);
  const double many = peak_without_index(scratch, 60000);
  // 2 % of about 44 MiB: 16 bytes for each further image, about as much as its name would take.
  INFO(few << " KiB with 6,000 images, " << many << " KiB with 60,000, both less the index");
  CHECK(many == Approx(few).epsilon(0.02));
}

TEST_CASE("twenty epochs take no more memory than one") {
  const Scratch scratch;
  const double one = peak_without_index(scratch, 6000, 1);
  const double twenty = peak_without_index(scratch, 6000, 20);
  INFO(one << " KiB in one epoch, " << twenty << " KiB in twenty");
  CHECK(twenty == Approx(one).epsilon(0.02));
}

TEST_CASE("a run takes what its plan says and a base that does not depend on the model") {
  const Scratch scratch;
  const fs::path data = write_linked(scratch / "data", 2000);
  const Figures small = figures(data, scratch / "small", {"--model", "mlp:32"});
  // A model whose memory is large beside the base, and all in use.
  const Figures large =
      figures(data, scratch / "large",
              {"--model", "cnn", "--size", "128", "--batch", "32", "--limit-batches", "4"});
  INFO("base " << small.base << " and " << large.base << " MiB");
  CHECK(large.planned > 128);  // MiB; else this tells nothing
  CHECK(large.base == Approx(small.base).margin(4));
  CHECK(small.base < 50);  // the README says about 35 or 45, by the system's libraries
}

TEST_CASE("large images take no more memory than the plan says, however many threads decode") {
  const Scratch scratch;
  constexpr int kHeight = 2000, kWidth = 3000, kThreads = 16, kImages = 32;
  const std::vector<std::uint8_t> pixels(std::size_t{kHeight} * kWidth * 3, 200);
  write_file(scratch / "large.png", encode_png({pixels.data(), kHeight, kWidth, 3}));
  for (int i = 0; i < kImages; ++i) {
    const fs::path folder = scratch / "data" / (i % 2 == 0 ? "a" : "b");
    fs::create_directories(folder);
    fs::create_hard_link(scratch / "large.png", folder / (std::to_string(i) + ".png"));
  }
  Arguments arguments = {"train",           (scratch / "data").string(),
                         "--run-dir",       (scratch / "run").string(),
                         "--threads",       std::to_string(kThreads),
                         "--model",         "mlp:4",
                         "--size",          "16",
                         "--epochs",        "1",
                         "--batch",         "8",
                         "--memory-budget", "512MiB"};
  const Outcome outcome = run(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  arguments.push_back("--print-plan");
  const Outcome plan = run(arguments);
  const double planned = static_cast<double>(line_of_plan(plan.out, "total").count) / (1 << 20);
  const double peak = static_cast<double>(outcome.peak_kib) / 1024;
  INFO(peak << " MiB of " << planned << " planned");
  CHECK(peak < planned + 50);
  constexpr double kOfOne = 2.0 * kHeight * kWidth * 3 / (1 << 20);  // packed rows, then pixels
  CHECK(kThreads * kOfOne > planned + 50);                           // else this tells nothing
}
