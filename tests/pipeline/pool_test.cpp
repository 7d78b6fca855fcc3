#include "catch.h"

#include <millrace/pipeline/pool.h>

#include <oneapi/tbb/flow_graph.h>

#include <thread>
#include <vector>

using namespace millrace;

TEST_CASE("a slot is free again when the last copy of its lease is dropped") {
  Budget budget;
  Pool<int> pool(
      "numbers", 2, [] { return 7; }, budget);
  Lease<int> a = pool.try_acquire();
  Lease<int> b = pool.try_acquire();
  REQUIRE(a);
  REQUIRE(b);
  CHECK(*a == 7);
  CHECK_FALSE(pool.try_acquire());
  CHECK(a.is_sole_owner());
  Lease<int> copy = a;
  CHECK_FALSE(a.is_sole_owner());
  a.reset();
  CHECK(pool.free_slots() == 0);
  copy.reset();
  CHECK(pool.free_slots() == 1);
}

TEST_CASE("slots keep their memory from lease to lease") {
  Budget budget;
  Pool<std::vector<int>> pool("vectors", 1, sized(400_B, [] { return std::vector<int>(100); }),
                              budget);
  const int* first = pool.try_acquire()->data();
  CHECK(pool.try_acquire()->data() == first);
}

TEST_CASE("the slot that has been free longest goes out first") {
  Budget budget;
  int made = 0;
  Pool<int> pool(
      "numbers", 3, [&made] { return made++; }, budget);
  Lease<int> a = pool.try_acquire();
  Lease<int> b = pool.try_acquire();
  CHECK(*a == 0);
  CHECK(*b == 1);
  b.reset();
  a.reset();
  std::vector<Lease<int>> leases;
  for (int i = 0; i < 3; ++i) leases.push_back(pool.try_acquire());
  CHECK(*leases[0] == 2);
  CHECK(*leases[1] == 1);
  CHECK(*leases[2] == 0);
  CHECK_FALSE(pool.try_acquire());
}

TEST_CASE("a pool that stands alone charges the budget before it allocates") {
  Budget budget(1_KiB);
  int made = 0;
  const auto make = sized(600_B, [&made] {
    ++made;
    return std::vector<char>(600);
  });
  CHECK_THROWS_AS((Pool<std::vector<char>>("two", 2, make, budget)), BudgetError);
  CHECK(made == 0);
}

TEST_CASE("a pool that did not fit leaves no charge behind") {
  Budget budget(1_KiB);
  const auto make = sized(400_B, [] { return std::vector<char>(400); });
  CHECK_THROWS_AS((Pool<std::vector<char>>("many", 3, make, budget)), BudgetError);
  CHECK(budget.charged() == 0_B);
  CHECK_NOTHROW(Pool<std::vector<char>>("fewer", 2, make, budget));
}

TEST_CASE("a slot drops what must not outlive the lease") {
  struct Holder {
    Lease<int> other;
    void recycle() noexcept { other.reset(); }
  };
  Budget budget;
  Pool<int> numbers(
      "numbers", 1, [] { return 0; }, budget);
  Pool<Holder> holders("holders", 1, sized(0_B, [] { return Holder{}; }), budget);
  Lease<Holder> holder = holders.try_acquire();
  holder->other = numbers.try_acquire();
  CHECK(numbers.free_slots() == 0);
  holder.reset();
  CHECK(numbers.free_slots() == 1);
}

TEST_CASE("a lease may outlive its pool") {
  Lease<int> lease;
  {
    Budget budget;
    Pool<int> pool(
        "short-lived", 1, [] { return 3; }, budget);
    lease = pool.try_acquire();
  }
  CHECK(*lease == 3);
}

TEST_CASE("acquire waits for a slot and gives up when stopped") {
  Budget budget;
  Pool<int> pool(
      "one", 1, [] { return 0; }, budget);
  Lease<int> held = pool.try_acquire();
  std::jthread taker([&](std::stop_token stop) { CHECK_FALSE(pool.acquire(std::move(stop))); });
  taker.request_stop();
  taker.join();
  std::jthread waiter([&] { CHECK(pool.acquire()); });
  held.reset();
}

TEST_CASE("a pool needs a slot") {
  Budget budget;
  CHECK_THROWS_WITH((Pool<int>(
                        "none", 0, [] { return 0; }, budget)),
                    "pool 'none': needs at least one slot, not 0");
}

TEST_CASE("a pool bounds a plain oneTBB flow graph") {
  namespace flow = oneapi::tbb::flow;
  Budget budget;
  Pool<int> pool(
      "buffers", 3, [] { return 0; }, budget);
  flow::graph graph;
  int sent = 0;
  std::vector<int> seen;
  flow::function_node<Lease<int>> use(graph, flow::serial,
                                      [&](const Lease<int>& lease) { seen.push_back(*lease); });
  // A free slot is what lets the next item in: the graph is fed by its own returns.
  flow::function_node<flow::continue_msg> feed(graph, flow::serial, [&](flow::continue_msg) {
    if (sent == 1000) return;
    if (Lease<int> lease = pool.try_acquire()) {
      *lease = sent++;
      use.try_put(lease);
    }
  });
  pool.when_free([&] { feed.try_put({}); });
  for (int i = 0; i < pool.slots(); ++i) feed.try_put({});
  graph.wait_for_all();
  pool.when_free({});
  CHECK(seen.size() == 1000);
  CHECK(pool.free_slots() == 3);
}
