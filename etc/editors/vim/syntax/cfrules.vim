" Vim syntax of filter rules in the language of SpamAssassin, with Outpost's additions.
if exists("b:current_syntax")
  finish
endif

syn case match
syn iskeyword @,48-57,_

syn match   cfComment     "\\\@<!#.*$" contains=cfTodo
syn keyword cfTodo        contained TODO FIXME XXX
syn keyword cfCondition   else endif if ifplugin
syn keyword cfDefinition  askdns attachment body envelope full header meta mimeheader rawbody uri uri_detail uridnsbl uridnssub urifullnsrhsbl urifullnsrhssub urinsrhsbl urinsrhssub urirhsbl urirhssub nextgroup=cfName skipwhite
syn keyword cfAbout       action describe priority reuse score shortcircuit stage test tflags nextgroup=cfName skipwhite
syn keyword cfSetting     action enable_compat include lang loadplugin replace_end replace_inter replace_post replace_pre replace_rules replace_start replace_tag require_version stage tryplugin
syn match   cfName        "\w\+" contained
syn keyword cfFlag        a autolearn_body autolearn_force autolearn_header concat domains_only ips_only learn multiple net nice noautolearn nolog nopublish nosubject notrim ns publish userconf maxhits range
syn keyword cfAction      reject hold defer discard
syn keyword cfStage       draft shadow live
syn match   cfEval        "\<\(rbl\)\?eval:\w\+"
syn match   cfOperator    "=\~\|!\~\|&&\|||"
syn match   cfNumber      "[-+]\?\<\d\+\(\.\d\+\)\?\>"
syn match   cfPlugin      "\<\w\+\(::\w\+\)\+\>"
syn region  cfPattern     start="\(\s\|\~\)\@<=/" skip="\\." end="/[a-z]*" oneline contains=cfEscape
syn region  cfPattern     start="\(\s\|\~\)\@<=\(m\|qr\){" skip="\\." end="}[a-z]*\(\s\|$\)" oneline contains=cfEscape
syn region  cfPattern     start="\(\s\|\~\)\@<=\(m\|qr\)\z([!,;'|%]\)" skip="\\." end="\z1[a-z]*" oneline contains=cfEscape
syn match   cfEscape      "\\." contained
syn region  cfUnset       start="\[if-unset:" end="\]" oneline

hi def link cfComment    Comment
hi def link cfTodo       Todo
hi def link cfCondition  Conditional
hi def link cfDefinition Type
hi def link cfAbout      Statement
hi def link cfSetting    PreProc
hi def link cfName       Identifier
hi def link cfFlag       Constant
hi def link cfAction     Constant
hi def link cfStage      Constant
hi def link cfEval       Function
hi def link cfOperator   Operator
hi def link cfNumber     Number
hi def link cfPlugin     Include
hi def link cfPattern    String
hi def link cfEscape     SpecialChar
hi def link cfUnset      String

let b:current_syntax = "cfrules"
