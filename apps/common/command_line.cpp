#include "apps/common/command_line.h"

#include "apps/common/left_out_report.h"
#include "apps/common/option_tables.h"

#include <millrace/training/recipe.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>

namespace millrace::apps {

namespace po = boost::program_options;

namespace {

constexpr unsigned kLineLength = 80;
constexpr const char* kPositionals = "argument";  // no option may be called so
constexpr const char* kTables = "markdown";       // a topic of --help: all options, for the manual

std::string without_dashes(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  return name;
}

po::options_description group(const std::string& title) {
  return po::options_description(title, kLineLength, kLineLength * 2 / 3);
}

void add(po::options_description& options, const std::string& name, const std::string& unit,
         const std::string& help, bool is_flag) {
  const po::value_semantic* const kind = is_flag
                                             ? static_cast<po::value_semantic*>(po::bool_switch())
                                             : po::value<std::string>()->value_name(unit);
  options.add_options()(name.c_str(), kind, help.c_str());
}

/// Paragraphs, one a line, with line breaks where a line would be too long.
std::string filled(const std::string& text) {
  std::string lines;
  std::size_t length = 0;
  std::istringstream paragraphs(text);
  for (std::string paragraph; std::getline(paragraphs, paragraph); lines += '\n', length = 0) {
    std::istringstream words(paragraph);
    for (std::string word; words >> word;) {
      const bool fits = length + 1 + word.size() <= kLineLength;
      if (length > 0) lines += fits ? ' ' : '\n';
      length = length > 0 && fits ? length + 1 + word.size() : word.size();
      lines += word;
    }
  }
  return lines;
}

/// As Boost lays them out, without the blanks at ends of lines.
std::string laid_out(const po::options_description& options) {
  std::ostringstream out;
  out << options;
  std::string text;
  for (const char c : out.str()) {
    if (c == '\n') text.erase(text.find_last_not_of(' ') + 1);
    text += c;
  }
  return text;
}

/// What --help prints of a topic.
po::options_description described(const OptionList& options, const OptionList::Topic& topic) {
  po::options_description lines = group(concat(topic.title, " (--help ", topic.key, ")"));
  for (const auto& option : options.options()) {
    if (option->topic != topic.key || option->is_positional) continue;
    add(lines, option->shown_name(), option->unit, help_of(*option), option->is_flag);
  }
  return lines;
}

po::options_description general(bool takes_recipe) {
  po::options_description lines = group("General (--help general)");
  lines.add_options()("help", po::value<std::string>()->implicit_value("")->value_name("[TOPIC]"),
                      "print this, or the options of one topic; markdown: tables of all options");
  if (takes_recipe) {
    add(lines, "recipe", "FILE.ini",
        "read options from a file; the command line wins over it, and the last of an option given "
        "twice: --no-flip takes a flag back, --patience none a value",
        false);
  }
  return lines;
}

/// All words that may begin with dashes.
po::options_description known(const OptionList& options, bool takes_recipe) {
  po::options_description all;
  for (const auto& option : options.options()) {
    if (option->is_positional) continue;
    std::vector<std::string> names = option->other_names;
    names.push_back(option->name);
    for (const std::string& name : names) {
      add(all, name, "", "", option->is_flag);
      if (option->is_flag) add(all, "no-" + name, "", "", true);
    }
  }
  all.add(general(takes_recipe));
  all.add_options()(kPositionals, po::value<std::vector<std::string>>());
  return all;
}

/// "--flip=false" as "--no-flip".
std::vector<std::string> with_plain_flags(const OptionList& options,
                                          std::vector<std::string> words) {
  for (std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string::npos) continue;
    const auto [option, is_no] = options.find(word.substr(2, equals - 2));
    if (option == nullptr || !option->is_flag) continue;
    try {
      const bool is_on = OptionText<bool>::read(word.substr(equals + 1)) != is_no;
      word = concat(is_on ? "--" : "--no-", option->name);
    } catch (const BadOptionText& error) {
      throw UsageError(concat(word.substr(0, equals), " must be ", error.what(), ", not '",
                              word.substr(equals + 1), "'"));
    }
  }
  return words;
}

/// The file itself or, for a name alone, one of the recipes that were installed with the program.
std::string find_recipe(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(name, error) || name.find('/') != std::string::npos) return name;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path folder = program.parent_path().parent_path() / "share/millrace/recipes";
  if (fs::exists(folder / name, error)) return (folder / name).string();
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  std::string list;
  for (const std::string& one : names) list += (list.empty() ? ", which has " : ", ") + one;
  throw UsageError(concat("cannot read the recipe ", name, ": there is no such file here, nor in ",
                          folder.string(), list));
}

}  // namespace

CommandLine::CommandLine(std::string command, std::string usage, std::string description)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      description_(std::move(description)) {}

void CommandLine::positional_many(std::vector<std::string>& field) {
  rest_ = &field;
}

void CommandLine::print_help(const std::string& wanted) const {
  std::string keys;
  std::vector<Topic> shown;  // those with more than arguments without a name
  for (const Topic& topic : topics()) {
    const bool has_named = std::any_of(options().begin(), options().end(), [&](const auto& option) {
      return option->topic == topic.key && !option->is_positional;
    });
    if (has_named) shown.push_back(topic);
  }
  for (const Topic& topic : shown) {
    if (topic.key == wanted) {
      std::cout << laid_out(described(*this, topic));
      return;
    }
    keys += topic.key + ", ";
  }
  if (wanted == kTables) {
    std::cout << option_tables(command_, *this);
    return;
  }
  if (wanted == "general") {
    std::cout << laid_out(general(takes_recipe_));
    return;
  }
  if (!wanted.empty()) {
    throw UsageError(
        concat("--help has no topic '", wanted, "'; the topics are ", keys, "general, ", kTables));
  }
  std::cout << filled("usage: millrace " + usage_) << '\n' << filled(description_) << '\n';
  for (const Topic& topic : shown) std::cout << laid_out(described(*this, topic)) << '\n';
  std::cout << laid_out(general(takes_recipe_)) << '\n';
}

void CommandLine::read(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  constexpr int kDashes = style::unix_style & ~style::allow_guessing & ~style::allow_short;
  const po::options_description words = known(*this, takes_recipe_);
  po::positional_options_description positional;
  positional.add(kPositionals, -1);
  const po::parsed_options parsed = po::command_line_parser(with_plain_flags(*this, arguments))
                                        .options(words)
                                        .positional(positional)
                                        .style(kDashes)
                                        .run();
  auto next = options().begin();
  for (const po::option& word : parsed.options) {
    const std::string value = word.value.empty() ? std::string() : word.value.front();
    if (word.string_key == "help") {
      wants_help_ = true;
      help_topic_ = value;
    } else if (word.string_key == "recipe" && takes_recipe_) {
      recipe_ = value;
    } else if (word.position_key < 0) {
      set(word.string_key, word.value.empty() ? "true" : value, OptionSource::command_line);
    } else {
      next = std::find_if(next, options().end(),
                          [](const auto& option) { return option->is_positional; });
      if (next != options().end()) {
        set((*next++)->name, value, OptionSource::command_line);
      } else if (rest_ != nullptr) {
        rest_->push_back(value);
      } else {
        std::error_code ignored;
        const char* const advice =
            std::filesystem::exists(value, ignored)
                ? "; put a pattern in quotes, or the shell turns it into files"
                : "";
        throw UsageError(
            concat("too many arguments", advice, "; see 'millrace ", command_, " --help'"));
      }
    }
  }
}

bool CommandLine::parse(const std::vector<std::string>& arguments) {
  const auto hint = [this](const std::string& why) {
    return UsageError(concat(command_, ": ", why, "; see 'millrace ", command_, " --help'"));
  };
  try {
    read(arguments);
    if (wants_help_) {
      print_help(help_topic_);
      return false;
    }
    if (complete_) complete_();
    if (!recipe_.empty()) read_recipe(find_recipe(recipe_), *this);
    const auto [quiet, is_no] = find("quiet");
    const bool tells = quiet == nullptr || quiet->write() == "false";
    for (const std::string& dropped : settle()) {
      if (tells) print_note(dropped + "; it is left out", Show::nothing);
    }
  } catch (const po::unknown_option& error) {
    const std::string name = without_dashes(error.get_option_name());
    const std::string near = nearest(name);
    throw hint(concat("unknown option '--", name, "'",
                      near.empty() ? std::string() : concat(" (did you mean '", near, "'?)")));
  } catch (const po::error_with_option_name& error) {
    throw hint(error.what());
  } catch (const po::error& error) {
    throw hint(error.what());
  } catch (const UsageError& error) {
    throw UsageError(concat(command_, ": ", error.what()));
  }
  return true;
}

}  // namespace millrace::apps
