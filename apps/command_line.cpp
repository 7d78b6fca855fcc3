#include "apps/command_line.h"

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace millrace::apps {

namespace po = boost::program_options;

namespace {

constexpr unsigned kLineLength = 100;

po::options_description group(const std::string& title) {
  return po::options_description(title, kLineLength, kLineLength * 2 / 3);
}

/// The characters that must change to turn one word into another (Levenshtein).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// " (did you mean 'epochs'?)" where a name is near.
std::string suggestion(const std::string& wrong, const po::options_description& options) {
  std::string best;
  std::size_t least = wrong.size() / 3 + 1;
  for (const auto& option : options.options()) {
    const std::size_t away = distance(wrong, option->long_name());
    if (away <= least) {
      least = away;
      best = option->long_name();
    }
  }
  return best.empty() ? "" : concat(" (did you mean '", best, "'?)");
}

std::string without_dashes(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  return name;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// What Boost says of a wrong value. It looks for %value% in the value that it has put in its
/// place, without end: a value with that in it is told without its percent signs.
std::string words_of(po::error& error, const std::vector<std::string>& given) {
  auto* const named = dynamic_cast<po::error_with_option_name*>(&error);
  for (std::string value : given) {
    // In small letters, as Boost writes it where it reads yes or no.
    const bool has_value = lower_case(value).find("%value%") != std::string::npos;
    if (named == nullptr || !has_value) continue;
    if (value.starts_with("--")) value.erase(0, value.find('=') + 1);
    value.erase(std::remove(value.begin(), value.end(), '%'), value.end());
    named->set_substitute("value", value);
  }
  return error.what();
}

/// The file itself or, for a name alone, one of the recipes that were installed with the program.
std::string find_recipe(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(name, error) || name.find('/') != std::string::npos) return name;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = program.parent_path().parent_path() / "share/millrace/recipes" / name;
  return fs::exists(installed, error) ? installed.string() : name;
}

}  // namespace

CommandLine::CommandLine(std::string command, std::string usage, std::string description)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      description_(std::move(description)) {}

void CommandLine::topic(const std::string& key, const std::string& title) {
  topics_.push_back({key, group(title + " (--help " + key + ")")});
}

void CommandLine::add(const char* name, po::value_semantic* value, const char* help) {
  if (topics_.empty()) topics_.push_back({"options", group("Options")});
  topics_.back().options.add_options()(name, value, help);
}

void CommandLine::positional(const char* name, std::string& field) {
  hidden_.add_options()(
      name, po::value<std::string>()->notifier([&field](const std::string& v) { field = v; }));
  positional_.add(name, 1);
  positional_names_.push_back(name);
  values_.emplace_back(name, [&field] { return field; });
}

void CommandLine::positional_many(const char* name, std::vector<std::string>& field) {
  using Many = std::vector<std::string>;
  hidden_.add_options()(name, po::value<Many>()->notifier([&field](const Many& v) { field = v; }));
  positional_.add(name, -1);
  positional_names_.push_back(name);
}

void CommandLine::accept_recipe() {
  takes_recipe_ = true;
}

void CommandLine::refuse(const std::string& why) const {
  throw UsageError(concat(command_, ": ", why, "; see 'millrace ", command_, " --help'"));
}

void CommandLine::print_help(const std::string& wanted) const {
  const auto found = std::find_if(topics_.begin(), topics_.end(),
                                  [&](const Topic& topic) { return topic.key == wanted; });
  if (!wanted.empty() && found == topics_.end()) {
    std::string keys;
    for (const Topic& topic : topics_) keys += (keys.empty() ? "" : ", ") + topic.key;
    throw UsageError(
        concat(command_, ": --help has no topic '", wanted, "'; the topics are ", keys));
  }
  if (!wanted.empty()) {
    std::cout << found->options;
    return;
  }
  std::cout << "usage: millrace " << usage_ << "\n\n" << description_ << "\n\n";
  for (const Topic& topic : topics_) std::cout << topic.options << '\n';
}

void CommandLine::out_of_range(const char* name, std::int64_t value) const {
  throw UsageError(concat(command_, ": --", name, " must be ", value < 0 ? "0 or more" : "smaller",
                          ", not ", value));
}

/// Boost's own reader cuts values at '#', which may be part of a path. Here a comment is a line.
void CommandLine::read_recipe(const std::string& name) {
  const std::string path = find_recipe(name);
  std::ifstream file(path);
  if (!file) throw UsageError(concat(command_, ": cannot read the recipe ", path));
  po::options_description keys;
  for (const Topic& topic : topics_) keys.add(topic.options);
  keys.add(hidden_);
  po::parsed_options parsed(&keys);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const std::size_t equals = line.find('=');
    const std::string key = trimmed(line.substr(0, equals));
    const auto refuse_line = [&](const auto&... why) {
      throw UsageError(concat("recipe ", path, ", line ", number, ": ", why...));
    };
    if (equals == std::string::npos) refuse_line("'", line, "' is not KEY = VALUE");
    if (keys.find_nothrow(key, false) == nullptr || key == "help" || key == "recipe") {
      refuse_line("unknown key '", key, "'", suggestion(key, keys));
    }
    parsed.options.emplace_back(key, std::vector<std::string>{trimmed(line.substr(equals + 1))});
  }
  try {
    po::store(parsed, values_map_);
  } catch (po::error& error) {
    std::vector<std::string> given;
    for (const po::option& option : parsed.options) given.push_back(option.value.front());
    throw UsageError(concat("recipe ", path, ": ", words_of(error, given)));
  }
}

bool CommandLine::parse(const std::vector<std::string>& arguments) {
  po::options_description general = group("General");
  general.add_options()("help", po::value<std::string>()->implicit_value("")->value_name("[TOPIC]"),
                        "print this, or the options of one topic");
  if (takes_recipe_) {
    general.add_options()("recipe", po::value<std::string>()->value_name("FILE.ini"),
                          "read options from a file; those of the command line win");
  }
  topics_.push_back({"general", general});
  po::options_description all;
  for (const Topic& topic : topics_) all.add(topic.options);
  all.add(hidden_);
  try {
    namespace style = po::command_line_style;
    const int dashes = style::unix_style & ~style::allow_guessing & ~style::allow_short;
    po::store(
        po::command_line_parser(arguments).options(all).positional(positional_).style(dashes).run(),
        values_map_);
    if (values_map_.count("help") != 0) {
      print_help(values_map_["help"].as<std::string>());
      return false;
    }
    if (values_map_.count("recipe") != 0) read_recipe(values_map_["recipe"].as<std::string>());
    po::notify(values_map_);
  } catch (const po::unknown_option& error) {
    const std::string name = without_dashes(error.get_option_name());
    refuse(concat("unknown option '--", name, "'", suggestion(name, all)));
  } catch (const po::too_many_positional_options_error&) {
    refuse("more arguments than the command takes");
  } catch (po::error& error) {
    refuse(words_of(error, arguments));
  }
  return true;
}

std::string CommandLine::recipe(const std::vector<std::string>& without) const {
  std::string text;
  for (const auto& [name, value] : values_) {
    if (std::find(without.begin(), without.end(), name) != without.end()) continue;
    const std::string written = value();
    if (!written.empty()) text += concat(name, " = ", written, '\n');
  }
  return text;
}

}  // namespace millrace::apps
