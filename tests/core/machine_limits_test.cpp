// What control groups of both versions, the affinity mask and OpenMP's variables grant, read from
// folders that hold what the kernel shows.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/core/machine_limits.h>

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kV2Mount =
    "25 1 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

/// A machine with the unified hierarchy, whose process is in /a/b.
void write_v2(const Scratch& root, std::string_view group = "/a/b") {
  root.write("proc/self/mountinfo", kV2Mount);
  root.write("proc/self/cgroup", "0::" + std::string(group) + "\n");
}

/// A machine with the hierarchies of version 1, mounted as `group_of_mount` each.
void write_v1(const Scratch& root, const std::string& group, const std::string& group_of_mount) {
  root.write("proc/self/mountinfo",
             "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
             "31 20 0:27 " +
                 group_of_mount +
                 " /sys/fs/cgroup/cpu,cpuacct rw master:11 - cgroup cgroup rw,cpu,cpuacct\n"
                 "32 20 0:28 " +
                 group_of_mount +
                 " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                 "33 20 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  root.write("proc/self/cgroup",
             "12:cpuset:/\n4:memory:" + group + "\n3:cpu,cpuacct:" + group + "\n");
}

void check_limits(const Scratch& root, int cores, std::uint64_t memory) {
  const GroupLimits limits = group_limits(root.path());
  CHECK(limits.cores == cores);
  CHECK(limits.memory == Bytes{memory});
}

/// Gives a variable a value, or none, for a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const old = getenv(name)) old_ = old;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Variable() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("A quota of version 2 is rounded up to whole cores, at least one") {
  const auto [text, cores] = GENERATE(table<const char*, int>({{"150000 100000\n", 2},
                                                               {"200000 100000\n", 2},
                                                               {"max 100000\n", 0},
                                                               {"20000 100000\n", 1},
                                                               {"1000 1000000\n", 1},
                                                               {"400000 50000\n", 8},
                                                               {"", 0},
                                                               {"0 0\n", 0}}));
  INFO(text);
  const Scratch root;
  write_v2(root);
  root.write("sys/fs/cgroup/a/b/cpu.max", text);
  check_limits(root, cores, 0);
}

TEST_CASE("A quota of version 1 is rounded up to whole cores, at least one") {
  const auto [quota, period, cores] =
      GENERATE(table<const char*, const char*, int>({{"-1\n", "100000\n", 0},
                                                     {"150000\n", "100000\n", 2},
                                                     {"50000\n", "100000\n", 1},
                                                     {"300000\n", "100000\n", 3}}));
  const Scratch root;
  write_v1(root, "/job", "/");
  root.write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", quota);
  root.write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", period);
  check_limits(root, cores, 0);
}

TEST_CASE("Memory of version 2 is what max and high grant") {
  const Scratch root;
  write_v2(root);
  root.write("sys/fs/cgroup/a/b/memory.max", "max\n");
  root.write("sys/fs/cgroup/a/b/memory.high", "max\n");
  check_limits(root, 0, 0);
  root.write("sys/fs/cgroup/a/b/memory.max", "2147483648\n");
  check_limits(root, 0, 2147483648);
  root.write("sys/fs/cgroup/a/b/memory.high", "1073741824\n");
  check_limits(root, 0, 1073741824);
}

TEST_CASE("Memory of version 1 is what the limit says, and the machine's where that is larger") {
  const Scratch root;
  write_v1(root, "/job", "/");
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(memory_limit(root.path()) == memory_limit(root / "nothing here"));
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "67108864\n");
  check_limits(root, 0, 67108864);
  CHECK(memory_limit(root.path()) == Bytes{67108864});
}

TEST_CASE("Groups above one's own limit it too") {
  const Scratch root;
  write_v2(root, "/pods/pod/container");
  root.write("sys/fs/cgroup/pods/cpu.max", "400000 100000\n");
  root.write("sys/fs/cgroup/pods/pod/cpu.max", "250000 100000\n");
  root.write("sys/fs/cgroup/pods/pod/container/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/pods/memory.max", "1000000\n");
  root.write("sys/fs/cgroup/pods/pod/memory.max", "max\n");
  root.write("sys/fs/cgroup/pods/pod/container/memory.max", "2000000\n");
  root.write("sys/fs/cgroup/pods/other/memory.max", "1000\n");
  check_limits(root, 3, 1000000);

  const Scratch old;
  write_v1(old, "/slice/job", "/");
  old.write("sys/fs/cgroup/cpu,cpuacct/slice/cpu.cfs_quota_us", "100000\n");
  old.write("sys/fs/cgroup/cpu,cpuacct/slice/cpu.cfs_period_us", "100000\n");
  old.write("sys/fs/cgroup/cpu,cpuacct/slice/job/cpu.cfs_quota_us", "-1\n");
  old.write("sys/fs/cgroup/cpu,cpuacct/slice/job/cpu.cfs_period_us", "100000\n");
  old.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000000\n");
  old.write("sys/fs/cgroup/memory/slice/memory.limit_in_bytes", "9223372036854771712\n");
  check_limits(old, 1, 5000000);
}

TEST_CASE("A container that sees its group as the mount has that group's limits") {
  const Scratch root;  // Docker on version 1: the host's path, and a mount of that group
  write_v1(root, "/docker/3f2a", "/docker/3f2a");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "7000000\n");
  check_limits(root, 2, 7000000);

  const Scratch spaced;  // with a namespace of groups, at a mount point with a space
  spaced.write("proc/self/mountinfo",
               "25 1 0:22 / /sys/fs/my\\040groups rw - cgroup2 cgroup2 rw\n");
  spaced.write("proc/self/cgroup", "0::/\n");
  spaced.write("sys/fs/my groups/cpu.max", "100000 100000\n");
  check_limits(spaced, 1, 0);
}

TEST_CASE("Limits of groups that the process is not in are not its limits") {
  const Scratch root;
  write_v1(root, "/mine", "/docker/another");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n");
  check_limits(root, 0, 0);

  const Scratch outside;  // of the namespace whose groups it sees
  write_v2(outside, "/../elsewhere");
  outside.write("sys/fs/cgroup/memory.max", "1000\n");
  check_limits(outside, 0, 0);

  const Scratch cpuset;  // another hierarchy of version 1
  write_v1(cpuset, "/job", "/");
  cpuset.write("sys/fs/cgroup/cpuset/job/memory.limit_in_bytes", "1000\n");
  check_limits(cpuset, 0, 0);
}

TEST_CASE("Versions 1 and 2 are looked at beside each other") {
  const Scratch root;
  root.write("proc/self/mountinfo",
             std::string("31 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n") +
                 "32 20 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  root.write("proc/self/cgroup", "4:memory:/job\n0::/unit\n");
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000\n");
  root.write("sys/fs/cgroup/unified/unit/cpu.max", "300000 100000\n");
  check_limits(root, 3, 3000);
}

TEST_CASE("Files that hold anything else set no limit") {
  const Scratch root;
  root.write("proc/self/mountinfo", "no mount\n - \n1 2 3 4 5 - cgroup2\n");
  root.write("proc/self/cgroup", "no group\n:\n0::\n");
  check_limits(root, 0, 0);
  CHECK(available_threads(root.path()) >= 1);
  write_v2(root);
  root.write("sys/fs/cgroup/a/b/cpu.max", "many 100000\n");
  root.write("sys/fs/cgroup/a/b/memory.max", "some\n");
  check_limits(root, 0, 0);
  check_limits(Scratch(), 0, 0);
}

TEST_CASE("Threads are the least of affinity, quota and what OpenMP is told") {
  cpu_set_t mask;
  REQUIRE(sched_getaffinity(0, sizeof mask, &mask) == 0);
  const int cores = CPU_COUNT(&mask);
  const Scratch root;
  const Variable limit("OMP_THREAD_LIMIT", nullptr);
  {
    const Variable none("OMP_NUM_THREADS", nullptr);
    CHECK(available_threads(root.path()) == cores);
    write_v2(root);
    root.write("sys/fs/cgroup/cpu.max", "90000 100000\n");
    CHECK(available_threads(root.path()) == 1);
    root.write("sys/fs/cgroup/cpu.max", "max 100000\n");
    const Variable one("OMP_THREAD_LIMIT", "1");
    CHECK(available_threads(root.path()) == 1);
  }
  const auto [value, threads] = GENERATE_COPY(table<const char*, int>({{"1", 1},
                                                                       {" 1 ", 1},
                                                                       {"1,4", 1},
                                                                       {"100000", cores},
                                                                       {"0", cores},
                                                                       {"-1", cores},
                                                                       {"1x", cores},
                                                                       {"", cores},
                                                                       {"many", cores}}));
  INFO(value);
  const Variable told("OMP_NUM_THREADS", value);
  CHECK(available_threads(root.path()) == threads);
}

TEST_CASE("A quota of the kernel's own counts, where the test may make groups") {
  const auto write = [](const fs::path& file, const std::string& text) {
    std::ofstream(file) << text << std::flush;
  };
  bool is_made = false;
  for (const fs::path mount :
       {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"}) {
    if (!fs::exists(mount / "cgroup.procs")) continue;
    const fs::path group = mount / ("millrace-test-" + std::to_string(getpid()));
    std::error_code error;
    if (!fs::create_directory(group, error)) continue;
    const bool is_v1 = fs::exists(group / "cpu.cfs_quota_us");
    const bool has_quota = is_v1 || fs::exists(group / "cpu.max");
    if (has_quota) {
      write(group / (is_v1 ? "cpu.cfs_quota_us" : "cpu.max"), is_v1 ? "20000" : "20000 100000");
      const pid_t child = fork();
      if (child == 0) {
        write(group / "cgroup.procs", std::to_string(getpid()));
        _exit(group_limits().cores);
      }
      int status = 0;
      waitpid(child, &status, 0);
      INFO(group);
      CHECK(WEXITSTATUS(status) == 1);
      is_made = true;
    }
    fs::remove(group, error);  // the files in it are the kernel's
    CHECK_FALSE(error);
  }
  if (!is_made) WARN("no group could be made");
}

TEST_CASE("Threads follow the affinity mask") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(available_threads() == 1);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
}
