#include "catch.h"

#include <millrace/pipeline/pipeline.h>

using namespace millrace;

TEST_CASE("a budget adds up its charges and refuses with the whole sum") {
  Budget budget(100_MiB);
  budget.charge("host", 3, 30_MiB);
  CHECK(budget.charged() == 90_MiB);
  CHECK_NOTHROW(budget.check());
  budget.charge("device", 2, 10_MiB);
  try {
    budget.check();
    FAIL("accepted");
  } catch (const BudgetError& error) {
    const std::string text = error.what();
    CHECK(text.find("needs 110 MiB but the budget is 100 MiB") != std::string::npos);
    CHECK(text.find("3 x 30 MiB") != std::string::npos);
    CHECK(text.find("2 x 10 MiB") != std::string::npos);
  }
}

TEST_CASE("a budget of zero is no limit") {
  Budget budget;
  budget.charge("much", 1000, 1_GiB);
  CHECK_NOTHROW(budget.check());
}

TEST_CASE("a pipeline over its budget is refused before any slot is made") {
  Pipeline p{{.name = "train", .budget = 1_MiB}};
  int made = 0;
  auto pool = p.pool<std::vector<char>>("host", 3, sized(500_KiB, [&made] {
                                          ++made;
                                          return std::vector<char>(500 << 10);
                                        }));
  auto leases =
      p.source({.name = "list"}, pool, [](Lease<std::vector<char>> slot, Emit<int>& emit) {
        emit(static_cast<int>(slot->size()));
        return false;
      });
  p.sink(leases, {.name = "drop"}, [](int) {});
  CHECK_THROWS_AS(p.run(), BudgetError);
  CHECK(made == 0);
}

TEST_CASE("scratch memory of a node is charged once per concurrent call, what is shared once") {
  struct Node {
    int operator()(int n) const { return n; }
    [[nodiscard]] Bytes scratch() const { return 1_MiB; }
    [[nodiscard]] Bytes shared_scratch() const { return 5_MiB; }
  };
  Pipeline p;
  auto numbers = p.source({.name = "none"}, slots(1), [] { return std::optional<int>(); });
  p.sink(p.then(numbers, {.name = "decode", .concurrency = 8}, Node{}), {.name = "drop"},
         [](int) {});
  const Plan plan = p.plan();
  const auto charge = [&](const std::string& name) {
    const auto line = std::find_if(plan.charges.begin(), plan.charges.end(),
                                   [&](const Budget::Charge& c) { return c.name == name; });
    REQUIRE(line != plan.charges.end());
    return line->total();
  };
  CHECK(charge("decode scratch") == 8_MiB);
  CHECK(charge("decode shared scratch") == 5_MiB);
}

TEST_CASE("what the items of a source hold besides its slots is charged when it is added") {
  struct Texts {
    [[nodiscard]] Bytes payload(const Pool<int>& pool) const {
      return static_cast<std::uint64_t>(pool.slots()) * 2_MiB;
    }
    bool operator()(Lease<int>, Emit<int>&) { return false; }
  };
  Pipeline p{{.budget = 7_MiB}};
  auto pool = p.pool<int>("slot", 4, [] { return 0; });
  p.sink(p.source({.name = "texts"}, pool, Texts{}), {.name = "drop"}, [](int) {});
  const std::vector<Budget::Charge> charges = p.plan().charges;
  CHECK(charges.back().name == "texts payload");
  CHECK(charges.back().total() == 8_MiB);
  CHECK_THROWS_AS(p.run(), BudgetError);
}
