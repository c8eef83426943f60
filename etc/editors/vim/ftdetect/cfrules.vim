" Vim takes .cf for other things, too: these look like rules.
au BufRead,BufNewFile *.pre setf cfrules
au BufRead,BufNewFile *.cf if search('^\s*\(header\|body\|rawbody\|uri\|full\|meta\|describe\|score\|ifplugin\)\s', 'nw') | set filetype=cfrules | endif
