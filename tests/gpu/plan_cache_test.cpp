#include "catch.h"

#include <millrace/gpu/plan_cache.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace fs = std::filesystem;
using namespace millrace;
using gpu::Convolution;
using gpu::PlanCache;

/// A file in a folder of its own, neither of which exists.
fs::path new_file(const std::string& name) {
  const fs::path folder = fs::path(MILLRACE_SCRATCH) / "gpu_plan_cache" / name;
  fs::remove_all(folder);
  return folder / "plans.json";
}

Convolution convolution() {
  Convolution c;
  c.batch = 32;
  c.height = c.width = c.out_height = c.out_width = 56;
  c.channels = c.filters = 64;
  c.rows = c.columns = 3;
  c.top = c.left = c.bottom = c.right = 1;
  return c;
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

}  // namespace

TEST_CASE("a plan that was kept is found again by the same device and cuDNN alone") {
  const fs::path file = new_file("kept");
  PlanCache(file, "H200", "9.19.0").keep(convolution(), 16_MiB, {"eng32_k2=2", 12.5});
  const auto entry = PlanCache(file, "H200", "9.19.0").find(convolution(), 16_MiB);
  REQUIRE(entry);
  CHECK(entry->plan == "eng32_k2=2");
  CHECK(entry->microseconds == 12.5);
  CHECK_FALSE(PlanCache(file, "A100", "9.19.0").find(convolution(), 16_MiB));
  CHECK_FALSE(PlanCache(file, "H200", "9.20.0").find(convolution(), 16_MiB));
}

TEST_CASE("a plan is kept for one convolution and workspace") {
  PlanCache cache({}, "H200", "9.19.0");
  cache.keep(convolution(), 16_MiB, {"eng1", 1});
  CHECK(cache.find(convolution(), 16_MiB));
  CHECK_FALSE(cache.find(convolution(), 17_MiB));
  Convolution other = convolution();
  SECTION("another precision") {
    other.precision = nn::Precision::bf16;
  }
  SECTION("another pass") {
    other.pass = Convolution::Pass::backward_data;
  }
  SECTION("another batch") {
    other.batch = 31;
  }
  SECTION("with a bias") {
    other.bias = true;
  }
  SECTION("the padding on another side") {
    other.top = 0;
    other.bottom = 2;
  }
  CHECK_FALSE(cache.find(other, 16_MiB));
}

TEST_CASE("what two processes keep in one file is there for a third") {
  const fs::path file = new_file("shared");
  PlanCache one(file, "H200", "9.19.0");
  PlanCache two(file, "A100", "9.19.0");
  one.keep(convolution(), 16_MiB, {"eng1", 1});
  two.keep(convolution(), 16_MiB, {"eng2", 2});
  one.keep(convolution(), 32_MiB, {"eng3", 3});
  CHECK(PlanCache(file, "H200", "9.19.0").find(convolution(), 16_MiB)->plan == "eng1");
  CHECK(PlanCache(file, "A100", "9.19.0").find(convolution(), 16_MiB)->plan == "eng2");
  CHECK(PlanCache(file, "H200", "9.19.0").find(convolution(), 32_MiB)->plan == "eng3");
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);
}

TEST_CASE("a file of plans that is damaged or another program's is ignored with a line") {
  const fs::path file = new_file("damaged");
  for (const char* text :
       {"", "{\"format\": \"millrace plans 1\", \"pl", "[1, 2]", "{\"format\": 7, \"plans\": {}}",
        "{\"format\": \"millrace plans 1\", \"plans\": 3}", "\xff\xfe"}) {
    INFO(text);
    write(file, text);
    PlanCache cache(file, "H200", "9.19.0");
    CHECK_FALSE(cache.find(convolution(), 16_MiB));
    CHECK(cache.trouble().find("plans.json") != std::string::npos);
    CHECK(cache.trouble().find('\n') == std::string::npos);
    cache.keep(convolution(), 16_MiB, {"eng1", 1});
    CHECK(PlanCache(file, "H200", "9.19.0").trouble().empty());
    CHECK(PlanCache(file, "H200", "9.19.0").find(convolution(), 16_MiB));
  }
}

TEST_CASE("an entry that is no plan is left out, its neighbours are read") {
  const fs::path file = new_file("entries");
  PlanCache(file, "H200", "9.19.0").keep(convolution(), 16_MiB, {"eng1", 1});
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string owner = "\"H200, cuDNN 9.19.0\": {";
  const auto at = text.find(owner);
  REQUIRE(at != std::string::npos);
  write(file, text.insert(at + owner.size(), "\"a\": 3, \"b\": {\"plan\": 4}, \"c\": [],"));
  PlanCache cache(file, "H200", "9.19.0");
  CHECK(cache.trouble().empty());
  CHECK(cache.find(convolution(), 16_MiB));
}

TEST_CASE("plans that cannot be written are kept in memory, and a line says so") {
  const fs::path blocker = new_file("blocked");
  write(blocker, "a file where a folder should be");
  PlanCache cache(blocker / "plans.json", "H200", "9.19.0");
  CHECK_NOTHROW(cache.keep(convolution(), 16_MiB, {"eng1", 1}));
  CHECK(cache.find(convolution(), 16_MiB));
  CHECK(cache.trouble().find("cannot be kept") != std::string::npos);
}
