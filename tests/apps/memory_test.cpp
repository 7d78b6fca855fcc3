// Memory is bounded by construction: more data means a longer index and nothing else.

#include "apps/train_run.h"

#include <millrace/core/bytes.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

/// Grey pictures of 16x16 in two classes. A class is one file under many names: reading it is the
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

/// "  index   1.2 MiB" of a plan.
Bytes line_of_plan(const std::string& plan, const std::string& name) {
  for (const std::string& line : Outcome::lines(plan)) {
    if (line.rfind("  " + name + "  ", 0) != 0) continue;
    return parse_bytes(line.substr(line.find_first_not_of(' ', name.size() + 2)));
  }
  FAIL("the plan has no line '" << name << "':\n" << plan);
  return {};
}

/// KiB at the peak of a training, less what the plan says of the index and the order of samples.
double peak_without_index(const Scratch& scratch, int count) {
  const std::string name = std::to_string(count);
  const fs::path data = write_linked(scratch / ("data" + name), count);
  const Arguments options = {"--model", "mlp:32", "--epochs", "1"};
  Arguments plan_only = options;
  plan_only.push_back("--print-plan");
  const std::string plan = trained(data, scratch / ("run" + name), plan_only).out;
  const Bytes index = line_of_plan(plan, "index");
  const Bytes order = line_of_plan(plan, "order of samples");
  CHECK(index.count + order.count >= static_cast<std::uint64_t>(count) * 4);  // it does count them
  const Outcome outcome = trained(data, scratch / ("run" + name), options);
  CHECK(column(scratch / ("run" + name), "samples") ==
        Arguments{std::to_string(count - count / 5)});  // the rest is for validation
  return static_cast<double>(outcome.peak_kib) -
         static_cast<double>(index.count + order.count) / 1024;
}

}  // namespace

TEST_CASE("ten times the pictures take no more memory but that of their index") {
  const Scratch scratch;
  const double few = peak_without_index(scratch, 6000);
  const double many = peak_without_index(scratch, 60000);
  // 5 % of about 31 MiB: 29 bytes for each further picture, less than its name would take.
  INFO(few << " KiB with 6,000 pictures, " << many << " KiB with 60,000, both less the index");
  CHECK(many == Approx(few).epsilon(0.05));
}
