#include "apps/common/left_out_report.h"
#include "apps/common/table.h"
#include "apps/inspect/image_facts.h"
#include "apps/inspect/inspect.h"

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/training/tables.h>
#include <millrace/training/training_data.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace millrace::apps {
namespace {

/// A part of a data set and what is known of it.
struct Part {
  std::string name;
  std::shared_ptr<const Dataset> dataset;
  std::vector<std::uint64_t> class_counts{};
  std::vector<TargetRange> targets{};
  std::vector<std::string> notes{};  ///< besides those of the data set
};

std::vector<Part> open_parts(const InspectOptions& o, Show show, std::stop_token stop) {
  const DataLayout layout = find_data(o.path);
  const OpenOptions options{.names_left_out = o.full ? LeftOut::kAllNames : LeftOut::kFewNames,
                            .skips_damage = true,
                            .table = o.table};
  check_is_table(options.table, o.path, layout.kind == DataKind::csv);
  Counting counting(show, "reading " + shown(o.path), "files");
  const Watch watch{[&](std::uint64_t count) { counting(count); }, std::move(stop)};
  const auto name_of = [](const DataPart& part) { return part.samples.filename().string(); };
  std::vector<Part> parts{{layout.validation ? name_of(layout.train) : "samples",
                           open_dataset(layout.kind, layout.train, watch, options)}};
  const auto add = [&](const DataPart& part) {
    parts.push_back(
        {name_of(part), open_beside(layout, part, *parts.front().dataset, watch, options)});
  };
  if (layout.validation && !layout.validation_is_test) add(*layout.validation);
  if (layout.test) add(*layout.test);
  parts.front().notes = layout.notes;
  for (Part& part : parts) {
    part.class_counts = count_classes(*part.dataset);
    part.targets = target_ranges(*part.dataset);
  }
  return parts;
}

void print_sizes(const std::vector<Part>& parts, const std::string& path) {
  std::cout << shown(path) << ": ";
  for (const Part& part : parts) {
    std::cout << (&part == &parts.front() ? "" : ", ") << with_commas(part.dataset->size()) << ' '
              << unit_of(*part.dataset, part.dataset->size())
              << (parts.size() > 1 ? " in " + part.name : "");
  }
}

double unknown_share(const Part& part, const TargetRange& target) {
  return 1 - static_cast<double>(target.known) / part.dataset->size();
}

void print_targets(const std::vector<Part>& parts) {
  const std::vector<std::string>& names = parts.front().dataset->targets();
  std::cout << "; " << names.size() << ' ' << plural(names.size(), "target") << "\n\n";
  Table table;
  std::vector<std::string> head{"target"};
  if (parts.size() > 1) head.insert(head.begin(), "part");
  head.insert(head.end(), {"min", "mean", "max", "unknown"});
  table.add(std::move(head));
  for (const Part& part : parts) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const TargetRange& target = part.targets[i];
      std::vector<std::string> row{shown(names[i])};
      if (parts.size() > 1) row.insert(row.begin(), shown(part.name));
      const auto number = [&](double value) {
        return target.known == 0 ? std::string("-") : concat(value);
      };
      row.insert(row.end(), {number(target.least), number(target.mean), number(target.greatest),
                             fixed(100 * unknown_share(part, target), 1) + " %"});
      table.add(std::move(row));
    }
  }
  std::cout << table;
}

void print_classes(const std::vector<Part>& parts) {
  const std::vector<std::string>& classes = parts.front().dataset->classes();
  std::cout << "; " << classes.size() << ' ' << plural(classes.size(), "class", "classes")
            << "\n\n";
  constexpr double kBar = 24;
  const std::vector<std::uint64_t>& counts = parts.front().class_counts;
  const auto largest = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  Table table;
  std::vector<std::string> head{"class"};
  for (const Part& part : parts) head.push_back(part.name);
  head.emplace_back("share");
  table.add(std::move(head));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    std::vector<std::string> row{shown(classes[c])};
    for (const Part& part : parts) row.push_back(with_commas(part.class_counts[c]));
    const auto count = static_cast<double>(counts[c]);
    row.push_back(fixed(100 * count / parts.front().dataset->size(), 1) + " %");
    std::string bar(static_cast<std::size_t>(kBar * count / largest + 0.5), '#');
    bar.resize(static_cast<std::size_t>(kBar), ' ');
    row.push_back(std::move(bar));
    table.add(std::move(row));
  }
  std::cout << table;
}

std::array<std::string, 3> spread(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](std::size_t i) { return std::to_string(values[i]); };
  return {at(0), at(values.size() / 2), at(values.size() - 1)};
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  std::cout << title;
  for (const auto& [name, count] : counts) {
    std::cout << (name == counts.begin()->first ? "" : ", ") << name << ' ' << with_commas(count);
  }
  std::cout << '\n';
}

std::map<std::string, std::uint64_t> formats_of(const std::vector<Facts>& facts) {
  std::map<std::string, std::uint64_t> formats;
  for (const Facts& f : facts) {
    if (f.format != nullptr) ++formats[f.format];
  }
  return formats;
}

void print_facts(const std::vector<Facts>& facts) {
  constexpr std::array<const char*, 5> kChannels = {"", "grey", "grey with alpha", "RGB",
                                                    "RGB with alpha or CMYK"};
  std::vector<int> heights, widths;
  std::map<std::string, std::uint64_t> channels;
  for (const Facts& f : facts) {
    if (f.format == nullptr) continue;
    heights.push_back(f.height);
    widths.push_back(f.width);
    ++channels[kChannels.at(static_cast<std::size_t>(f.channels))];
  }
  if (heights.empty()) return;
  Table table;
  table.add({"", "min", "median", "max"});
  for (const auto& [title, values] : {std::pair("height", heights), std::pair("width", widths)}) {
    const auto [least, median, most] = spread(values);
    table.add({title, least, median, most});
  }
  std::cout << '\n' << table << '\n';
  print_counts("formats   ", formats_of(facts));
  print_counts("channels  ", channels);
}

void print_unreadable(const std::vector<std::string>& unreadable) {
  std::cout << "\ncannot be read:\n";
  for (const std::string& why : unreadable) std::cout << "  " << shown(why) << '\n';
}

/// `images` cannot be read of `all`, and `others` cannot be read whole.
[[noreturn]] void fail_unreadable(const std::string& path, std::size_t images, std::size_t all,
                                  std::uint64_t others) {
  std::string what;
  if (images > 0) what = concat(images, " of ", all, ' ', plural(all, "image"));
  if (images > 0 && others > 0) what += " and ";
  if (others > 0) what += concat(others, ' ', plural(others, "file or folder", "files or folders"));
  throw Error(concat(path, ": ", what, " cannot be read; repair or remove them, or train with ",
                     "--on-bad-image skip"));
}

void list_left_out(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    const std::vector<std::string> lines = part.dataset->left_out().lines();
    if (lines.empty()) continue;
    std::cout << "\nleft out" << (parts.size() > 1 ? " of " + shown(part.name) : "") << ":\n";
    for (const std::string& line : lines) std::cout << "  " << line << '\n';
  }
}

/// Of all parts.
LeftOut left_out_of(const std::vector<Part>& parts) {
  LeftOut all(LeftOut::kAllNames);
  for (const Part& part : parts) all.add(part.dataset->left_out());
  return all;
}

nlohmann::ordered_json json_of(const Part& part, bool full) {
  nlohmann::ordered_json json{{"name", part.name}, {"samples", part.dataset->size()}};
  json["classes"] = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < part.class_counts.size(); ++c) {
    json["classes"].push_back(
        {{"name", part.dataset->classes()[c]}, {"samples", part.class_counts[c]}});
  }
  if (!part.targets.empty()) {
    json["targets"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < part.targets.size(); ++i) {
      const TargetRange& target = part.targets[i];
      nlohmann::ordered_json one{{"name", part.dataset->targets()[i]}, {"known", target.known}};
      if (target.known > 0) {
        one.update({{"min", target.least}, {"mean", target.mean}, {"max", target.greatest}});
      }
      one["unknown_share"] = unknown_share(part, target);
      json["targets"].push_back(one);
    }
  }
  if (const TableForm* table = part.dataset->table()) {
    json["columns"] = table->columns;
    if (part.targets.empty()) {
      json["label"] = table->label;
      json["label_column"] = table->label_column;
    } else {
      json["target_columns"] = table->target_columns;
    }
  }
  json.update(apps::json_of(part.dataset->left_out(), 0));
  if (full) json["left_out_files"] = part.dataset->left_out().lines();
  return json;
}

void print_json(const std::vector<Part>& parts, const std::vector<Facts>& facts,
                const std::vector<std::string>& unreadable, std::uint64_t not_decoded,
                const InspectOptions& o) {
  nlohmann::ordered_json json{{"data", o.path}, {"parts", nlohmann::ordered_json::array()}};
  for (const Part& part : parts) json["parts"].push_back(json_of(part, o.full));
  json.update(apps::json_of(left_out_of(parts), not_decoded));
  json["formats"] = nlohmann::ordered_json::object();
  for (const auto& [format, count] : formats_of(facts)) json["formats"][format] = count;
  json["cannot_be_read"] = unreadable;
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

/// Of photographs: reads what all files say of themselves. Returns what cannot be read.
std::vector<std::string> look_at_parts(const std::vector<Part>& parts, std::vector<Facts>& facts,
                                       const InspectOptions& o, Show show, std::stop_token stop) {
  std::vector<std::string> unreadable;
  for (const Part& part : parts) {
    const std::size_t begin = facts.size();
    facts.resize(begin + part.dataset->size());
    const auto found = look_at_all(part.dataset, std::span(facts).subspan(begin), o, show, stop);
    unreadable.insert(unreadable.end(), found.begin(), found.end());
  }
  return unreadable;
}

}  // namespace

void inspect_data(const InspectOptions& o, Show show, std::stop_token stop) {
  const std::vector<Part> parts = open_parts(o, show, stop);
  if (!o.json) {
    print_sizes(parts, o.path);
    parts.front().targets.empty() ? print_classes(parts) : print_targets(parts);
  }
  const Show notes = o.json ? Show::nothing : Show::lines;
  WorkShown work(notes);
  const SessionWatch watch = watch_of(work, notes, {});
  for (const Part& part : parts) {
    for (const std::string& note : part.notes) watch.note(note);
    for (const std::string& note : part.dataset->notes()) watch.note(note);
  }
  if (o.full && !o.json) list_left_out(parts);
  const Dataset& first = *parts.front().dataset;
  const bool is_in_memory = first.natural_shape().rank() > 0;
  std::vector<Facts> facts;
  std::vector<std::string> images;
  if (!is_in_memory) images = look_at_parts(parts, facts, o, show, std::move(stop));
  const LeftOut left_out = left_out_of(parts);
  const std::uint64_t others = left_out.count(LeftOutReason::unreadable);
  std::vector<std::string> unreadable = left_out.lines(LeftOutReason::unreadable);
  unreadable.insert(unreadable.end(), images.begin(), images.end());
  if (o.json) {
    print_json(parts, facts, unreadable, images.size(), o);
  } else if (is_in_memory) {
    const Shape shape = first.natural_shape();
    std::cout << "\nall samples are " << kind_of_samples(shape);
    if (shape.rank() == 3) std::cout << " of " << shape;
    std::cout << ", in memory (" << first.index_bytes() << ")\n";
    if (first.table() != nullptr) print_columns(*first.table());
  } else {
    print_facts(facts);
  }
  if (unreadable.empty()) return;
  if (!o.json) print_unreadable(unreadable);
  fail_unreadable(o.path, images.size(), facts.size(), others);
}

}  // namespace millrace::apps
