// Ranges as streams: whose elements their samples are.

#include "catch.h"
#include "nodes/streams.h"

#include <millrace/nodes/streamed.h>

#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Ranges over strings of somebody else.
struct Pointers {
  explicit Pointers(std::vector<std::string>& all)
      : first(all.data()), last(all.data() + all.size()) {}
  [[nodiscard]] std::string* begin() const { return first; }
  [[nodiscard]] std::string* end() const { return last; }
  std::string *first, *last;
};
struct Counting : std::ranges::view_base {
  explicit Counting(std::vector<std::string>& all) : pointers(all) {}
  [[nodiscard]] std::string* begin() {
    ++begun;
    return pointers.begin();
  }
  [[nodiscard]] std::string* end() { return pointers.end(); }
  Pointers pointers;
  int begun = 0;
};

}  // namespace

TEST_CASE("a range that does not own its elements leaves them whole for the next epoch") {
  using Names = std::vector<std::string>;
  const Names all{"a first name too long for a small string", "another one of the same kind"};
  Names names = all, none;
  const auto check = [&](auto make) {
    Streamed stream(std::move(make), {.epochs = 2});
    HostBatch batch = slot();
    Names items, seen;
    while (stream.next(batch, items)) seen.insert(seen.end(), items.begin(), items.end());
    CHECK(seen == Names{all[0], all[1], all[0], all[1]});
    CHECK(names == all);
  };
  const auto chosen = [&](Phase phase) -> Names& {
    return phase == Phase::training ? names : none;
  };
  SECTION("two pointers") {
    check([&](Phase phase, std::uint32_t) { return Pointers(chosen(phase)); });
  }
  SECTION("a view that cannot be iterated as a constant") {
    check([&](Phase phase, std::uint32_t) { return Counting(chosen(phase)); });
  }
  SECTION("a span") {
    check([&](Phase phase, std::uint32_t) { return std::span(chosen(phase)); });
  }
  SECTION("a reference") {
    check([&](Phase phase, std::uint32_t) -> Names& { return chosen(phase); });
  }
}

TEST_CASE("the elements of a container that was made for a stream are moved from it") {
  std::vector<std::unique_ptr<int>> items;
  HostBatch batch = slot();
  Streamed stream([](Phase phase, std::uint32_t) {
    std::vector<std::unique_ptr<int>> made;
    if (phase == Phase::training) made.push_back(std::make_unique<int>(7));
    return made;
  });
  REQUIRE(stream.next(batch, items));
  REQUIRE(items.size() == 1);
  CHECK(*items[0] == 7);
}
