# A room is a folder of the top level that builds one static library, colo_<name>.

set(COLO_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Werror)

function(colo_flags target)
  target_compile_options(${target} PRIVATE ${COLO_WARNINGS})
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}")
  if(COLO_SANITIZE)
    # A null pointer is AddressSanitizer's to find, and these checks at every access of every
    # template double the time of a build.
    target_compile_options(${target} PRIVATE -fsanitize=${COLO_SANITIZE} -fno-sanitize-recover=all
                                             -fno-sanitize=null,alignment,vptr,object-size
                                             -fno-omit-frame-pointer)
    # g++ takes the sanitizers' own bookkeeping for such reads (its manual says so).
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PRIVATE -fsanitize=${COLO_SANITIZE})
  endif()
  if(COLO_FUZZ)
    # Coverage for the fuzzed code; only fuzz targets link libFuzzer's main.
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link,address,undefined)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# colo_room(name SOURCES a.cpp ... LINK lib ...)
function(colo_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(colo_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(colo_${name} PUBLIC ${ARG_LINK})
  colo_flags(colo_${name})
endfunction()

# GoogleTest's headers cost each test program more than its own lines do: they are compiled once
# and shared. A test still includes what it uses, so it builds without this too.
function(colo_test_headers)
  file(WRITE "${CMAKE_BINARY_DIR}/test_headers.cpp" "")
  add_library(colo_test_headers OBJECT "${CMAKE_BINARY_DIR}/test_headers.cpp")
  target_link_libraries(colo_test_headers PRIVATE GTest::gmock GTest::gtest tl::expected)
  colo_flags(colo_test_headers)
  target_precompile_headers(colo_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>
                            <functional> <memory> <string> <thread> <tl/expected.hpp> <vector>)
endfunction()

# colo_test(name SOURCES a.cpp ... LINK lib ... [LABELS l ...] [TIMEOUT s])
# One GoogleTest program; CTest lists it as one test so that a run's closing lines stay readable.
function(colo_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  colo_flags(test_${name})
  # Real guests are slow enough without sanitizers; what does not run is not built.
  set(plain OFF)
  if("qemu" IN_LIST ARG_LABELS OR "plain" IN_LIST ARG_LABELS)
    set(plain ON)
  endif()
  if((plain AND (COLO_SANITIZE OR COLO_FUZZ)) OR (COLO_TESTED_APART AND NOT plain))
    set_target_properties(test_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME ${name} COMMAND test_${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()

# colo_fuzz(name SOURCES a.cpp LINK lib ...): a libFuzzer target, built only with COLO_FUZZ.
function(colo_fuzz name)
  if(NOT COLO_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK})
  colo_flags(fuzz_${name})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
endfunction()
