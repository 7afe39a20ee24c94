// The word that somebody probably meant. Pure.
#pragma once

#include <span>
#include <string_view>

namespace tidemark::client {

// The candidate that takes the fewest letters to get to; empty where none is similar.
[[nodiscard]] std::string_view nearest_word(std::string_view word,
                                            std::span<const std::string_view> candidates);

}  // namespace tidemark::client
