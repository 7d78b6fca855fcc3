#include <millrace/pipeline/plan.h>

#include <millrace/core/plural.h>

#include <algorithm>
#include <iomanip>
#include <limits>
#include <ostream>
#include <utility>

namespace millrace {
namespace {

std::string threads_of(const Plan::Line& line) {
  if (line.on == On::engine)
    return "the engine's thread" + (line.lane.empty() ? "" : " '" + line.lane + "'");
  const std::string count = std::to_string(line.concurrency);
  if (line.on == On::blocking)
    return count + (line.concurrency == 1 ? " thread" : " threads") + " of its own";
  return line.concurrency == 1 ? "1 at a time" : "up to " + count + " at a time";
}

std::string notes_of(const Plan::Line& line) {
  std::string notes;
  if (line.on_error.retries > 0) {
    notes += ", tries up to " + std::to_string(line.on_error.retries) +
             plural(line.on_error.retries, " time", " times") + " again";
  }
  if (!line.pool.empty()) notes += ", slots of '" + line.pool + "'";
  if (line.on_error.skips) {
    const bool is_limited = line.on_error.limit != std::numeric_limits<std::uint64_t>::max();
    notes +=
        is_limited ? ", skips at most " + std::to_string(line.on_error.limit) : ", skips bad items";
  }
  return notes;
}

}  // namespace

const char* to_string(On on) noexcept {
  switch (on) {
    case On::compute: return "compute";
    case On::blocking: return "blocking";
    case On::engine: return "engine";
  }
  return "?";
}

std::string Plan::text() const {
  std::size_t width = 0;
  for (const Line& line : stages) width = std::max(width, line.name.size());
  std::ostringstream out;
  out << "pipeline " << name << ", " << threads << (threads == 1 ? " thread" : " threads") << '\n';
  for (const Line& line : stages) {
    out << "  " << std::left << std::setw(static_cast<int>(width)) << line.name << "  "
        << std::setw(7) << line.kind << ' ' << threads_of(line) << notes_of(line);
    const char* between = ", from ";
    for (const int input : line.inputs) {
      out << std::exchange(between, " and ") << stages[static_cast<std::size_t>(input)].name;
    }
    out << '\n';
  }
  Budget memory(limit);
  for (const Budget::Charge& charge : charges)
    memory.charge(charge.name, charge.count, charge.each);
  out << "memory at most\n" << memory.text();
  return std::move(out).str();
}

std::string Plan::dot() const {
  std::ostringstream out;
  out << "digraph " << std::quoted(name)
      << " {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Line& line = stages[i];
    out << "  s" << i << " [label=" << std::quoted(line.name)
        << ", tooltip=" << std::quoted(threads_of(line) + notes_of(line)) << "];\n";
    for (const int input : line.inputs) out << "  s" << input << " -> s" << i << ";\n";
    if (!line.pool.empty()) {
      out << "  p" << i << " [label=" << std::quoted(line.pool) << ", shape=cylinder];\n  p" << i
          << " -> s" << i << " [style=dashed];\n";
    }
  }
  out << "}\n";
  return std::move(out).str();
}

std::ostream& operator<<(std::ostream& out, const Plan& plan) {
  return out << plan.text();
}

}  // namespace millrace
