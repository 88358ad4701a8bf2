; What the Windows installer does besides copying: see README.md, "Install".
;   ISG-Pro-Setup.exe /S /iconik-url=… /app-id=… /auth-token=… /storage-gateway-id=…
;   uninstaller /S [/remove-data]
; config.ini is written only where there is none, and is never removed but with /remove-data. Every user of the machine may read
; it, as the tray application runs in their name; the token can be moved to the system's key store in Settings.

!include FileFunc.nsh

!define ISG_RUN_KEY "Software\Microsoft\Windows\CurrentVersion\Run"
!define ISG_CONFIG_DIR "$PROGRAMFILES64\Cantemo\Iconik Storage Gateway"

; A line of config.ini from an option of the command line, if it was given. Not by GetOptions: there a value ends at the next
; slash, and that of "https://..." is "https:". StdUtils reads the line as Windows programs do: "/key=a b" and /key="a b" alike.
!macro isgConfigLine KEY
  ${StdUtils.GetParameter} $R1 "${KEY}" ""
  ${If} $R1 != ""
    FileWrite $R2 "${KEY} = $R1$\r$\n"
  ${EndIf}
!macroend

; Programs of a service that runs could not be replaced or removed; without a service this does nothing.
!macro isgService ORDER MORE
  nsExec::Exec 'schtasks.exe /${ORDER} /TN "\ISG Pro\Agent"${MORE}'
  Pop $R1
!macroend

!macro customInstall
  ; starts at login, for every user of the machine, without a window
  WriteRegStr HKLM "${ISG_RUN_KEY}" "${PRODUCT_NAME}" '"$INSTDIR\${APP_EXECUTABLE_FILENAME}" --hidden'
  ; after an update the service goes on
  !insertmacro isgService "Change" " /ENABLE"
  !insertmacro isgService "Run" ""
  ${StdUtils.GetParameter} $R1 "storage-gateway-id" ""
  ${If} $R1 != ""
  ${AndIfNot} ${FileExists} "${ISG_CONFIG_DIR}\config.ini"
    CreateDirectory "${ISG_CONFIG_DIR}"
    ClearErrors
    FileOpen $R2 "${ISG_CONFIG_DIR}\config.ini" w
    ${IfNot} ${Errors}
      FileWrite $R2 "[main]$\r$\n"
      !insertmacro isgConfigLine "iconik-url"
      !insertmacro isgConfigLine "app-id"
      !insertmacro isgConfigLine "auth-token"
      !insertmacro isgConfigLine "storage-gateway-id"
      FileClose $R2
    ${EndIf}
  ${EndIf}
!macroend

!macro customUnInstall
  !insertmacro isgService "Change" " /DISABLE"
  !insertmacro isgService "End" ""
  DeleteRegValue HKLM "${ISG_RUN_KEY}" "${PRODUCT_NAME}"
  ${ifNot} ${isUpdated}
    ; a service of this installation would look for programs that are gone
    nsExec::Exec '"$INSTDIR\resources\node\node.exe" "$INSTDIR\resources\app.asar.unpacked\out\agent\main.js" --uninstall-service'
    Pop $R1
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/remove-data" $R1
    ${IfNot} ${Errors}
      ; an installation for all users makes $APPDATA the machine's; first that of the person who removes it
      SetShellVarContext current
      RMDir /r "$APPDATA\ISG Pro"
      SetShellVarContext all
      RMDir /r "$APPDATA\ISG Pro"
      Delete "${ISG_CONFIG_DIR}\config.ini"
      RMDir "${ISG_CONFIG_DIR}"
    ${EndIf}
  ${endIf}
!macroend
